import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** What only a page has. `state` and `protocol` also run where there is none. */
const PAGE = [
  'document',
  'window',
  'navigator',
  'location',
  'localStorage',
  'sessionStorage',
  'requestAnimationFrame',
  'HTMLElement',
  'Element',
  'Node',
  'Event',
  'ImageData'
];

/** Room → the rooms that it must not know. */
const ARROWS = {
  protocol: ['state', 'draw', 'figures', 'views', 'lab', 'widget'],
  state: ['draw', 'figures', 'views', 'lab', 'widget'],
  draw: ['state', 'figures', 'views', 'lab', 'widget'],
  figures: ['views', 'lab', 'widget'],
  views: ['lab', 'widget'],
  widget: ['lab'],
  lab: ['widget']
};

/**
 * Room → its packages and the files beside them, from the first to the last: each knows those
 * after it alone, and those of one line do not know each other.
 */
const LAYERS = {
  state: [
    ['panel'],
    ['heads'],
    ['kernel'],
    ['view-state'],
    ['text'],
    ['debounced.ts', 'timing.ts', 'when-true.ts']
  ],
  views: [['index.ts'], ['panel'], ['model', 'head', 'neuron'], ['parts']],
  'views/model': [
    ['view.tsx'],
    ['title', 'thumbnails', 'input', 'preview'],
    ['grid'],
    ['scores.ts']
  ],
  lab: [
    ['index.ts'],
    ['plugins'],
    ['panels', 'editor'],
    ['notebook'],
    ['kernel'],
    ['commands.ts', 'translate.ts']
  ]
};

/** Where imports must not lead, those of types neither. */
const BETWEEN_ROOMS = Object.entries(ARROWS).map(([room, others]) => ({
  target: `./src/${room}`,
  from: others.map(other => `./src/${other}`),
  message: 'Arrows go one way: lab, widget → views → figures → draw, state → protocol.'
}));

const BETWEEN_PACKAGES = Object.entries(LAYERS).flatMap(([room, layers]) =>
  layers.flatMap((layer, i) => {
    const known = new Set(layers.slice(i + 1).flat());
    const message = `Arrows in ${room} go one way: ${layers.map(one => one.join(', ')).join(' → ')}.`;
    return layer.flatMap(name =>
      layers
        .flat()
        .filter(other => other !== name && !known.has(other))
        .map(other => ({
          target: `./src/${room}/${name}`,
          from: `./src/${room}/${other}`,
          message
        }))
    );
  })
);

const MATRIX = {
  target: './src/views/head/matrix',
  from: './src/views/head',
  except: ['./matrix'],
  message: 'The head view knows its matrix, and the matrix does not know the head view.'
};

export default tseslint.config(
  {
    ignores: ['lib', 'attnlab', 'node_modules', 'dist', '.venv', '.venv-*', '.demo', 'test-results']
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked, prettier],
    plugins: { '@jupyter': jupyter, 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { zones: BETWEEN_ROOMS }],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['@jupyterlab/*', '@lumino/*'],
              message: 'Only src/lab knows JupyterLab.'
            }
          ]
        }
      ],
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Text of a model or a notebook is never HTML.' },
        { property: 'outerHTML', message: 'Text of a model or a notebook is never HTML.' },
        { property: 'insertAdjacentHTML', message: 'Text of a model or a notebook is never HTML.' }
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }]
    }
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    // A test sees how packages work together.
    ignores: ['**/__tests__/**'],
    rules: {
      'import-x/no-restricted-paths': [
        'error',
        { zones: [...BETWEEN_ROOMS, ...BETWEEN_PACKAGES, MATRIX] }
      ]
    }
  },
  {
    files: ['src/state/**', 'src/protocol/**'],
    ignores: ['**/__tests__/**'],
    rules: { 'no-restricted-globals': ['error', ...PAGE] }
  },
  {
    files: ['src/lab/**'],
    rules: {
      'no-restricted-imports': 'off',
      ...Object.fromEntries(
        Object.keys(jupyter.rules)
          .filter(rule => !rule.startsWith('galata') && !rule.includes('snapshot'))
          .map(rule => [`@jupyter/${rule}`, 'error'])
      ),
      // Both are a few kilobytes that activation needs at once.
      '@jupyter/prefer-lazy-imports': 'off',
      // Lumino's signals bind the method, which `require-signal-this-arg` makes sure of.
      '@typescript-eslint/unbound-method': 'off'
    }
  },
  {
    files: ['**/__tests__/**'],
    rules: {
      // A test that indexes beyond the end fails, which is what it is for.
      '@typescript-eslint/no-non-null-assertion': 'off'
    }
  }
);
