/** The commands' ids, which settings and keyboard shortcuts refer to. */
export const CommandIDs = {
  toggleTag: 'attnlab:toggle-tag',
  showPanel: 'attnlab:show-panel',
  openPanel: 'attnlab:open-panel'
} as const;
