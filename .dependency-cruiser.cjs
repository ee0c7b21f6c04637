/** Which way imports may point: docs/ARCHITECTURE.md, "One direction". tools/check-direction.mjs plants violations. */
const adapters = [
  'etcd',
  'postgres',
  'pgbouncer',
  'pgbackrest',
  'pki',
  'process',
  'doctor',
  'timing',
  'applications',
  'secrets',
];

/** What an adapter may know beside itself. */
const exceptions = {
  doctor: '^src/(doctor|pki|api/contract|config/node-file)',
  secrets: '^src/(secrets|pki)/',
};

module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'core-is-pure',
      comment: 'core imports core, and the wire types of the topology',
      severity: 'error',
      from: { path: '^src/core', pathNot: '[.]test[.]ts$' },
      to: { pathNot: '^src/core|^@understudy/client|^packages/client/src' },
    },
    {
      name: 'ports-know-only-core',
      severity: 'error',
      from: { path: '^src/ports' },
      to: { pathNot: '^src/(ports|core)' },
    },
    {
      name: 'records-know-core-and-ports',
      severity: 'error',
      from: { path: '^src/records', pathNot: '[.]test[.]ts$' },
      to: { pathNot: '^src/(records|core|ports|events|config)|^node_modules/zod' },
    },
    ...adapters.map((name) => ({
      name: `${name}-knows-no-other-adapter`,
      severity: 'error',
      from: { path: `^src/${name}/`, pathNot: '[.]test[.]ts$' },
      to: {
        path: '^src/(etcd|postgres|pgbouncer|pgbackrest|pki|doctor|api|agent|cli|stage|sim|config)/',
        pathNot: exceptions[name] ?? `^src/${name}/`,
      },
    })),
    {
      name: 'loop-and-executor-know-only-ports',
      comment:
        'so that the simulator runs them as they are; src/composition puts them together, the backends answer the API',
      severity: 'error',
      from: { path: '^src/agent/', pathNot: '[.]test[.]ts$' },
      to: {
        path: '^src/(etcd|postgres|pgbouncer|pgbackrest|pki|process|doctor|api|cli|stage|sim|config|composition)/',
        pathNot: '^src/api/contract/|^src/records/',
      },
    },
    {
      name: 'api-knows-no-agent',
      severity: 'error',
      from: { path: '^src/api/', pathNot: '[.]test[.]ts$' },
      to: {
        path: '^src/(etcd|postgres|pgbouncer|pgbackrest|process|doctor|agent|cli|stage|sim|config)/|^src/pki/(?!identity|credential-files)',
      },
    },
    {
      name: 'only-process-spawns',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/process/' },
      to: { path: '^(node:)?child_process$' },
    },
    {
      name: 'a-history-is-judged-by-itself',
      comment: 'so that what judges shares nothing with what it judges',
      severity: 'error',
      from: { path: '^src/history/', pathNot: '[.]test[.]ts$' },
      to: { pathNot: '^src/history/' },
    },
    {
      name: 'load-knows-no-cluster',
      comment: 'it is given URIs and a way to each node, as any client is',
      severity: 'error',
      from: { path: '^src/load/', pathNot: '[.]test[.]ts$' },
      to: { path: '^src/', pathNot: '^src/(load|history|core/lsn|ports/clock|errors|timing)' },
    },
    {
      name: 'comparison-knows-two-databases',
      comment: 'it is given a connection to each, and nothing of where the past comes from',
      severity: 'error',
      from: { path: '^src/comparison/', pathNot: '[.]test[.]ts$' },
      to: { path: '^src/', pathNot: '^src/(comparison|errors|timing)/' },
    },
    {
      name: 'logical-knows-one-server',
      comment: 'a live one or an instance of the past: it is told where the socket is, and as whom',
      severity: 'error',
      from: { path: '^src/logical/', pathNot: '[.]test[.]ts$' },
      to: { path: '^src/', pathNot: '^src/(logical|errors|process|postgres/program-environment)' },
    },
    {
      name: 'past-knows-one-node',
      comment: 'it is given a way to restore and a directory to work in; no agent, no store and no verb',
      severity: 'error',
      from: { path: '^src/past/', pathNot: '[.]test[.]ts$' },
      to: {
        path: '^src/',
        pathNot: '^src/(past|restoring|core|ports|errors|process|timing|logical|postgres/binaries)(/|[.]|$)',
      },
    },
    {
      name: 'proof-knows-one-node',
      comment:
        'it is given a repository, what can be recovered to and a directory to work in; no agent, no store and no verb',
      severity: 'error',
      from: { path: '^src/proof/', pathNot: '[.]test[.]ts$' },
      to: {
        path: '^src/',
        pathNot:
          '^src/(proof|restoring|core|ports|errors|process|logical)/|^src/past/copying[.]ts$|^src/postgres/(binaries|heartbeat|layout|replication-log|session)[.]ts$',
      },
    },
    {
      name: 'restoring-knows-directories',
      comment:
        'it is given a repository or a standby, and where to restore to, and starts servers that belong to no node',
      severity: 'error',
      from: { path: '^src/restoring/', pathNot: '[.]test[.]ts$' },
      to: {
        path: '^src/',
        pathNot:
          '^src/(restoring|core|ports|errors|process)/|^src/postgres/(binaries|conninfo|control-file|postmaster-file|program-environment|program-progress|replication-log|session|waiting|wal-dump)[.]ts$',
      },
    },
    {
      name: 'composition-is-the-end',
      comment: 'whoever is composed knows nothing of how; the command line starts it',
      severity: 'error',
      from: { path: '^src/(?!composition/|cli/agent[.]ts$)' },
      to: { path: '^src/composition/' },
    },
    { name: 'client-stands-alone', severity: 'error', from: { path: '^packages/client' }, to: { path: '^src/' } },
    { name: 'nobody-imports-a-command', severity: 'error', from: { path: '^src/(?!cli/)' }, to: { path: '^src/cli/' } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|bench|test)/' },
  },
};
