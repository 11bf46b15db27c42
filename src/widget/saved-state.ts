/** An empty module, saved instead of the view's script. */
const EMPTY = 'export default {};';

/** A widget model; a widget manager that saves its models uses Backbone models. */
interface Model {
  readonly widget_manager?: object;
  set(name: string, value: unknown, options?: { silent: boolean }): void;
}

/**
 * Keeps the view's script and styles out of notebook files.
 *
 * Widget state is saved from the model's attributes, and anywidget runs a saved script when the
 * notebook is opened, even an untrusted one. The script is already loaded, and is read again
 * only after a change event, which `silent` prevents. The kernel keeps it for other pages.
 */
export function excludeFromSavedState(model: Model): void {
  if (model.widget_manager && 'get_state' in model.widget_manager) {
    model.set('_esm', EMPTY, { silent: true });
    model.set('_css', '', { silent: true });
  }
}
