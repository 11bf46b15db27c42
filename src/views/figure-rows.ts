import type { ModelRow } from '../figures/model';
import type { ScoredHead } from '../state/ordering';
import type { LayerGroup } from './rows';

/** The model view's rows as a figure has them: a row a layer. */
export function layerRows(groups: readonly LayerGroup[]): ModelRow[] {
  return groups.flatMap(({ rows }) =>
    rows.map(({ layer, site, first }) => ({
      label: String(layer),
      heads: Array.from({ length: site?.heads ?? 0 }, (_, head) => ({
        name: String(head),
        thumbnail: first + head
      }))
    }))
  );
}

/** Heads in order of a score, in lines of `across`, each by its layer and number. */
export function sortedRows(heads: readonly ScoredHead[], across: number): ModelRow[] {
  return Array.from({ length: Math.ceil(heads.length / across) }, (_, row) => ({
    label: '',
    heads: heads
      .slice(row * across, (row + 1) * across)
      .map(({ layer, head, index }) => ({ name: `${layer}.${head}`, thumbnail: index }))
  }));
}
