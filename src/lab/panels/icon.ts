import { LabIcon } from '@jupyterlab/ui-components';

/** Two columns of tokens connected by lines. */
export const attentionIcon = new LabIcon({
  name: 'attnlab:attention',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.2">
    <path d="M4 3 L12 8 M4 8 L12 3 M4 13 L12 8 M4 8 L12 13"/>
  </g>
  <g class="jp-icon3" fill="#616161">
    <circle cx="3.5" cy="3" r="1.8"/><circle cx="3.5" cy="8" r="1.8"/><circle cx="3.5" cy="13" r="1.8"/>
    <circle cx="12.5" cy="3" r="1.8"/><circle cx="12.5" cy="8" r="1.8"/><circle cx="12.5" cy="13" r="1.8"/>
  </g>
</svg>`
});
