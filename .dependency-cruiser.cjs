// The ranks of ARCHITECTURE.md: a file imports only from lower ranks, type imports included, and never in a cycle.
const RANKS = [
  ['base', 'native'],
  ['proto', 'format', 'expression', 'model'],
  ['net', 'pki', 'tls', 'http', 'http2', 'http1', 'dns', 'authn', 'authz', 'routing', 'balance', 'xds', 'telemetry', 'manifests', 'kube', 'hbone', 'mesh', 'traffic'],
  ['ztunnel', 'waypoint', 'control', 'agent', 'local', 'install'],
  ['cli', 'dashboard', 'bin'],
];
// Inside a rank parts stay apart, except for these edges.
const ALLOWED_WITHIN_RANK = {
  native: ['base'],
  model: ['proto', 'format', 'expression'],
  tls: ['net', 'pki'],
  http1: ['http', 'http2', 'net'],
  http2: ['net', 'http'],
  xds: ['tls', 'pki'],
  authz: ['http'],
  routing: ['http'],
  authn: ['http'],
  // What every proxy of the mesh is made of: tunnels with identities, and what the feed said.
  hbone: ['net', 'tls', 'pki', 'http2', 'xds', 'telemetry'],
  mesh: ['authz', 'balance', 'xds'],
  telemetry: ['net'],
  // The names of metrics.
  traffic: ['telemetry'],
  cli: ['dashboard'],
  bin: ['cli'],
};

const path = (folders) => `^src/(${folders.join('|')})/`;

const upward = RANKS.slice(0, -1).map((folders, rank) => ({
  name: `rank-${rank}-imports-upward`,
  severity: 'error',
  comment: `Rank ${rank} (${folders.join(', ')}) imports only from lower ranks.`,
  from: { path: path(folders) },
  to: { path: path(RANKS.slice(rank + 1).flat()) },
}));

const sideways = RANKS.flatMap((folders) =>
  folders.map((folder) => {
    const others = folders.filter((other) => other !== folder && !(ALLOWED_WITHIN_RANK[folder] ?? []).includes(other));
    return {
      name: `${folder}-imports-sideways`,
      severity: 'error',
      comment: `${folder} does not import ${others.join(', ')}: parts of one rank meet in lower ranks.`,
      from: { path: path([folder]) },
      to: { path: others.length > 0 ? path(others) : '^$' },
    };
  }),
);

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'src-imports-tests', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|bench)/' } },
    {
      name: 'not-resolvable',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
    ...upward,
    ...sideways,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'], extensions: ['.ts', '.js', '.mjs', '.json'] },
    parser: 'tsc',
  },
};
