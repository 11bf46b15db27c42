/** Height of a token's row in the head and neuron views, in pixels; as in `style/head.css`. */
export const ROW_HEIGHT = 18;
