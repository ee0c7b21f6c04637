/** The declaration of a simulated cluster. Addresses are names only: nothing listens anywhere. */

import { type DurabilitySpec, defaultFailover, type FailoverSpec } from '../../core/declared-durability.ts';
import { defaultSwitchover, plainApplication, plainNode, plainSpec } from '../../core/plain-spec.ts';
import { type NodeSpec, plainDatabase, type Spec } from '../../core/spec.ts';

export function simulatedSpec(
  databases: number,
  apps: number,
  durability: DurabilitySpec,
  failover: FailoverSpec = defaultFailover('local'),
): Spec {
  const named = (prefix: string, role: 'database' | 'app', count: number): NodeSpec[] =>
    Array.from({ length: count }, (_, index) => {
      const name = `${prefix}${index + 1}`;
      return plainNode(name, role, `${name}.sim`);
    });
  const appNodes = named('app', 'app', apps);
  const essentials = {
    cluster: 'sim',
    domain: 'sim.example',
    nodes: [...named('db', 'database', databases), ...appNodes],
    postgresMajor: 17,
    storeEndpoints: ['https://store.sim:2379'],
  };
  return {
    ...plainSpec(essentials),
    databases: [plainDatabase('shop', 'shop')],
    applications: [
      plainApplication(
        'shop',
        appNodes.map(({ name }) => name),
      ),
    ],
    switchover: { ...defaultSwitchover, drainTimeoutMs: 5_000 },
    durability,
    failover,
  };
}
