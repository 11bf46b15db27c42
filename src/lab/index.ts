import { livePlugin } from './live-plugin';
import { panelPlugin } from './panel-plugin';
import { sessionsPlugin } from './sessions-plugin';
import { tabsPlugin } from './tabs-plugin';
import { tagsPlugin } from './tags-plugin';

export { INotebookSessions } from './notebook-sessions';

export default [sessionsPlugin, tagsPlugin, tabsPlugin, panelPlugin, livePlugin];
