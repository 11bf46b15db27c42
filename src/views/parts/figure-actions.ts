import { csv } from '../../figures/csv';
import type { Missing } from '../../figures/panel-figures';
import { download, fileOf, print } from '../../figures/save';
import type { Scene } from '../../figures/scene';
import type { PanelPart } from '../../state/view-state/display';
import { useEnv } from './env';

/** An entry of the figure menu. */
export interface FigureAction {
  id: string;
  name: string;
  /** Throws an error with a translated message if the view has no figure. */
  run: () => void | Promise<void>;
}

/** The ways to export a view. */
export function useFigureActions(
  part: PanelPart,
  scene: () => Scene | Missing,
  rows: () => (string | number)[][]
): FigureAction[] {
  const { t, actions } = useEnv();
  const reasons: Record<Missing, string> = {
    nothing: t('Nothing to export: the weights have not loaded.'),
    long: t('A figure with more than 512 tokens would be unreadable; save the data as CSV instead.')
  };
  const figure = (): Scene => {
    const drawn = scene();
    if (typeof drawn === 'string') {
      throw new Error(reasons[drawn]);
    }
    return drawn;
  };
  const name = (extension: string): string => `attention-${part}.${extension}`;
  const save = async (format: 'svg' | 'png'): Promise<void> =>
    download(await fileOf(figure(), format), name(format));
  const copyPng = async (): Promise<void> => {
    // Safari allows only a promise that is created while it handles the click.
    const item = new ClipboardItem({ 'image/png': fileOf(figure(), 'png') });
    await navigator.clipboard.write([item]);
  };
  const { copy } = actions;
  const copySvg = async (): Promise<void> => copy?.(await (await fileOf(figure(), 'svg')).text());
  const saveCsv = (): void =>
    download(new Blob([csv(rows())], { type: 'text/csv;charset=utf-8' }), name('csv'));
  return [
    { id: 'svg', name: t('Save as SVG'), run: () => save('svg') },
    { id: 'png', name: t('Save as PNG'), run: () => save('png') },
    { id: 'pdf', name: t('Print or save as PDF…'), run: () => print(figure()) },
    { id: 'csv', name: t('Save data as CSV'), run: saveCsv },
    { id: 'copy-png', name: t('Copy as PNG'), run: copyPng },
    ...(copy ? [{ id: 'copy-svg', name: t('Copy as SVG'), run: copySvg }] : [])
  ];
}
