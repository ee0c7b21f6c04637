/** What an app node's agent answers: its own health and how its pooler stands. Everything else is asked of a database node. */
import type { TopologyMessage } from '../api/contract/app-nodes.ts';
import type { AgentBackend } from '../api/contract/backend.ts';
import type { DoctorFinding, WhyAnswer } from '../api/contract/looks.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { AppNode } from './app-node.ts';

export interface AppBackendParts {
  readonly cluster: string;
  readonly node: NodeName;
  readonly version: string;
  readonly app: AppNode;
  /** Which nodes are database nodes, as the configuration said last. */
  readonly databaseNodes: () => ReadonlySet<NodeName>;
  readonly doctor: () => Promise<readonly DoctorFinding[]>;
  readonly now: () => Date;
  readonly audit: AgentBackend['audit'];
}

export function createAppBackend(parts: AppBackendParts): AgentBackend {
  const { node, cluster, version, app } = parts;
  const elsewhere = (): never => {
    throw new UnderstudyError('NOT_FOUND', `${node} is an app node`, { hint: 'ask the agent of a database node' });
  };
  const elsewhereLater = () =>
    Promise.reject(
      new UnderstudyError('NOT_FOUND', `${node} is an app node`, { hint: 'ask the agent of a database node' }),
    );
  return {
    node,
    cluster,
    doctor: async () => {
      const { trouble } = app.report();
      const hint = 'it is tried again by itself; mend what it names';
      const told: readonly DoctorFinding[] =
        trouble === null ? [] : [{ check: 'pooler', verdict: 'failure', text: trouble, hint }];
      return [...(await parts.doctor()), ...told];
    },
    identify: (name) => (parts.databaseNodes().has(name) ? 'database' : name === node ? 'app' : 'unknown'),
    health: () => ({ node, version, term: app.report().term, storeAgeMs: null }),
    why: (): WhyAnswer => {
      const decision = app.decision();
      return {
        node,
        at: parts.now().toISOString(),
        inputDigest: '',
        reasons: decision?.reasons ?? [],
        refused: [],
        actions: (decision?.actions ?? []).map((action) => ({ do: action.do, because: [] })),
      };
    },
    status: elsewhere,
    spec: elsewhere,
    apply: elsewhereLater,
    events: elsewhere,
    // Nobody may follow these here, but the server listens for everyone at once.
    onEvent: () => () => undefined,
    topologyMessage: (): TopologyMessage => elsewhere(),
    onTopology: () => () => undefined,
    report: elsewhere,
    switchover: elsewhereLater,
    cancel: elsewhereLater,
    failover: elsewhereLater,
    handsOff: elsewhereLater,
    readOnly: elsewhereLater,
    credentials: elsewhere,
    rotateCredentials: elsewhereLater,
    databases: elsewhereLater,
    revertDatabases: elsewhereLater,
    dropDatabase: elsewhereLater,
    operation: elsewhere,
    receipts: elsewhereLater,
    receipt: elsewhereLater,
    lost: elsewhereLater,
    checkpoint: elsewhereLater,
    promise: elsewhereLater,
    lastWords: elsewhereLater,
    issue: elsewhereLater,
    orderToken: elsewhereLater,
    enrol: elsewhereLater,
    certifyPerson: elsewhereLater,
    certificates: elsewhere,
    trust: { state: elsewhere, say: elsewhereLater },
    registered: { all: elsewhere, register: elsewhereLater, forget: elsewhereLater },
    authority: { state: elsewhere, renew: elsewhereLater },
    revokeCertificates: elsewhereLater,
    backups: {
      standing: elsewhere,
      order: elsewhereLater,
      cancel: elsewhereLater,
      passage: elsewhereLater,
      giveSecret: elsewhereLater,
    },
    reinit: elsewhereLater,
    restart: elsewhereLater,
    audit: parts.audit,
  };
}
