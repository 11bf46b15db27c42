/** Height of a token's row in the head view, in pixels; as in `style/head.css`. */
export const ROW = 18;
