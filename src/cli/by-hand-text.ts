/** The manual for one very cluster: its nodes, its paths, its commands, in the only safe order. */
import { join } from 'node:path';
import { type Command, commandText } from '../by-hand/command.ts';
import { storesAside } from '../by-hand/performance.ts';
import { dataDirectory, type Place } from '../by-hand/place.ts';
import { examineCommands } from '../by-hand/standing.ts';
import type { StepName } from '../by-hand/step-names.ts';
import {
  addressOf,
  databaseNodes,
  nodeHere,
  promote,
  repointPoolers,
  startAgents,
  stopAutomation,
  stopPostgres,
} from '../by-hand/steps.ts';
import { nodesOfRole } from '../core/spec.ts';
import { clusterPrefix } from '../etcd/store-access.ts';
import { nodeDirectory } from '../stage/record.ts';

export interface ManualStep {
  readonly step: StepName;
  readonly title: string;
  readonly words: readonly string[];
  readonly commands: readonly string[];
}

const texts = (commands: readonly Command[]): readonly string[] => commands.map(commandText);

/** `keeper`: the process that starts a stage's agents again. `to`: the node that is to be promoted, if it is known. */
export function manual(place: Place, keeper: number | null, to: string | null): readonly ManualStep[] {
  const databases = nodesOfRole(place.spec.spec, 'database').map(({ name, address }) => `${name} (${address})`);
  const apps = nodesOfRole(place.spec.spec, 'app').map(({ name }) => name);
  const chosen = to ?? databaseNodes(place)[0]?.node ?? null;
  return [
    {
      step: 'stop',
      title: 'Make sure that nobody else runs',
      words: [
        `On every node: ${[...databases, ...apps].join(', ')}. Agents and fences first, then PostgreSQL.`,
        'A database node that you can not reach must be switched off: it may still accept writes.',
      ],
      commands: [...texts(stopAutomation(place, keeper)), ...texts(stopPostgres(place))],
    },
    {
      step: 'choose',
      title: 'Choose the node with the furthest WAL',
      words: [
        'On every database node, with PostgreSQL stopped. The highest timeline wins, then the highest lsn of the last',
        'record; of equals the last primary, which needs no promotion. A crashed primary has everything it acknowledged.',
      ],
      commands: databaseNodes(place).flatMap((node) => [...examineCommands(place, node)]),
    },
    {
      step: 'promote',
      title: `Make that node writable${chosen === null ? '' : ` (here as it would be for ${chosen})`}`,
      words: ['The last line must print f. A node that was primary leaves pg_promote out.'],
      commands: chosen === null ? [] : texts(promote(place, nodeHere(place, chosen), false)),
    },
    {
      step: 'poolers',
      title: 'Point the poolers to it',
      words: [
        `On every app node${apps.length === 0 ? '' : `: ${apps.join(', ')}`}. RESUME may answer that nothing is paused.`,
      ],
      commands: chosen === null ? [] : texts(repointPoolers(place, addressOf(place, chosen))),
    },
    {
      step: 'store',
      title: 'Set up a new, empty store in place of the dead one',
      words: [
        'Applications work again: take your time. Never bring members of the old store back beside the new one.',
        'Each database node keeps its user and password; the role may read and write the prefix of this cluster.',
      ],
      commands: storeCommands(place),
    },
    {
      step: 'return',
      title: 'Give the cluster back to the automation',
      words: [
        'On the writable node first, then start the agents of all others. Writes go on meanwhile. The new store is told',
        'the spec and who is primary, in a new term. Whatever can not follow is set aside and cloned again.',
      ],
      commands: ['understudy by-hand --perform return', ...(place.stage === null ? texts(startAgents()) : [])],
    },
  ];
}

function storeCommands(place: Place): readonly string[] {
  const { stage } = place;
  const prefix = clusterPrefix(place.spec.spec.cluster);
  const users = databaseNodes(place).flatMap(({ store }) =>
    store === null
      ? []
      : [
          `etcdctl user add ${store.user}    # password: ${store.passwordFile}`,
          `etcdctl user grant-role ${store.user} understudy`,
        ],
  );
  const members =
    stage === null
      ? []
      : stage.storeMembers.map((member) => `etcd --config-file ${join(nodeDirectory(stage, member), 'etcd.yaml')}`);
  return [
    ...texts(storesAside(place)),
    ...members,
    `etcdctl role add understudy && etcdctl role grant-permission understudy --prefix=true readwrite ${prefix}`,
    ...users,
    'etcdctl user add root && etcdctl user grant-role root root && etcdctl auth enable',
  ];
}

export function manualLines(steps: readonly ManualStep[], place: Place): readonly string[] {
  const data = databaseNodes(place).map((node) => `  ${node.node}  data ${dataDirectory(place, node)}`);
  return [
    'Without store and agents, by hand. Only when the store is lost for good: while it may come back, wait for it.',
    ...data,
    ...steps.flatMap(({ title, words, commands, step }, index) => [
      '',
      `${index + 1}. ${title}    (--perform ${step})`,
      ...words.map((line) => `   ${line}`),
      ...commands.map((line) => `     ${line}`),
    ]),
  ];
}
