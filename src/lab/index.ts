import { livePlugin } from './plugins/live';
import { panelPlugin } from './plugins/panel';
import { sessionsPlugin } from './plugins/sessions';
import { tabsPlugin } from './plugins/tabs';
import { tagsPlugin } from './plugins/tags';

export { INotebookSessions } from './notebook/notebook-sessions';

export default [sessionsPlugin, tagsPlugin, tabsPlugin, panelPlugin, livePlugin];
