import type { ModelRow } from '../figures/model';
import { barOf, type ScoredHead } from '../state/ordering';
import type { Column } from './model-scores';
import type { LayerGroup } from './rows';

/** The model view's rows as a figure has them: a row a layer. */
export function layerRows(groups: readonly LayerGroup[], bars: Column | null): ModelRow[] {
  return groups.flatMap(({ rows }) =>
    rows.map(({ layer, site, heads, first }) => ({
      label: String(layer),
      heads: heads.map(head => {
        const thumbnail = first + head;
        const name = String(head);
        return { name, thumbnail, layer, site: site?.index ?? 0, bar: shareOf(thumbnail, bars) };
      })
    }))
  );
}

/** Heads in order of a score, in lines of `across`, each by its layer and number. */
export function sortedRows(
  heads: readonly ScoredHead[],
  across: number,
  bars: Column | null
): ModelRow[] {
  return Array.from({ length: Math.ceil(heads.length / across) }, (_, row) => ({
    label: '',
    heads: heads.slice(row * across, (row + 1) * across).map(({ layer, site, head, index }) => {
      const name = `${layer}.${head}`;
      return { name, thumbnail: index, layer, site, bar: shareOf(index, bars) };
    })
  }));
}

function shareOf(index: number, bars: Column | null): number | null {
  return bars && barOf(bars.scores[index] ?? NaN, bars.scores);
}
