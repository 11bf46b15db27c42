export { mountPanel, type PanelActions, type PanelOptions } from './panel/panel';
