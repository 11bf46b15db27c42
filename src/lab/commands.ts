/** The commands' ids, which settings and keyboard shortcuts refer to. */
export const CommandIDs = {
  toggleTag: 'attnlab:toggle-tag',
  toggleLive: 'attnlab:toggle-live',
  showAtCaret: 'attnlab:show-at-caret',
  showPanel: 'attnlab:show-panel',
  openPanel: 'attnlab:open-panel'
} as const;
