/** Command ids; settings and keyboard shortcuts refer to them. */
export const CommandIDs = {
  toggleTag: 'attnlab:toggle-tag',
  toggleLive: 'attnlab:toggle-live',
  showAtCaret: 'attnlab:show-at-caret',
  showPanel: 'attnlab:show-panel',
  openPanel: 'attnlab:open-panel'
} as const;
