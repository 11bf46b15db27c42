// All delays in milliseconds, except the deadlines in `protocol/connection.ts`.

/** From the last change of the hovered query until its row or terms are requested. */
export const QUERY_DEBOUNCE = 60;

/**
 * From the last scroll event until curves are drawn for the new position. Until then the curves
 * that were drawn past the edge of the view scroll with the lists. Also how long to wait for the
 * exact weights of a head before curves are drawn from its thumbnail: without a GPU, a thousand
 * curves take longer than a frame.
 */
export const CURVES_DEBOUNCE = 150;

/** From pointing at a thumbnail until its preview is requested, and until it is shown. */
export const PREVIEW_REQUEST_DELAY = 80;
export const PREVIEW_SHOW_DELAY = 150;

/** Without a wheel event for this long, zooming has ended. */
export const WHEEL_IDLE = 120;

/** From pointing at a word in an editor until its tooltip is requested. */
export const HOVER_DELAY = 300;

/** From the last change of a selection until it and its subscription are sent. */
export const SELECTION_DEBOUNCE = 60;

/** From closing the last view until the session leaves the kernel: the next view may open at once. */
export const UNWATCH_DELAY = 60;

/** From the last change of a panel until it is stored. */
export const SAVE_DEBOUNCE = 100;

/** Minimum time between two messages about one document: one frame. */
export const EDIT_INTERVAL = 16;

/** Until a failed request is repeated. */
export const RETRY_DELAY = 2000;

/** Unanswered for this long, a request is reported as overdue. */
export const OVERDUE_AFTER = 1500;

/** How long a tooltip in an editor waits for the kernel's state. */
export const HOVER_TIMEOUT = 3000;
