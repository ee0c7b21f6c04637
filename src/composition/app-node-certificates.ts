/**
 * What keeps an app node's certificates: its own, the roots that it trusts, and those for services of its users.
 *
 * Invariant: what is wanted is what database agents said last, and it is got from one of them: this node issues nothing.
 */
import type { AppNode } from '../agent/app-node.ts';
import type { EmitEvent } from '../agent/app-node-ports.ts';
import { renewForEver } from '../agent/certificate-renewal.ts';
import { OwnCertificates } from '../agent/own-certificates.ts';
import { TrustKeeping } from '../agent/trust-keeping.ts';
import { askedOf, ownCertificateParts, renewalOf } from './certificates.ts';
import type { Foundation } from './foundation.ts';

export interface AppNodeCertificateParts {
  /** Asked only once all is put together. */
  readonly app: () => Pick<AppNode, 'configuration' | 'isExpelled'>;
  readonly agents: () => readonly Parameters<typeof askedOf>[1][];
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
  /** This node's certificate, or the roots beside it, are new. */
  readonly takeUp: () => Promise<void>;
  /** The roots are. */
  readonly renewAuthority: () => Promise<void>;
}

export interface AppNodeCertificates {
  readonly own: OwnCertificates;
  readonly trust: TrustKeeping;
  /** Until the signal; answers when all of it has ended. */
  run(): Promise<void>;
}

export function appNodeCertificates(foundation: Foundation, parts: AppNodeCertificateParts): AppNodeCertificates {
  const { clock, file, onBroken } = foundation;
  const { app, emit, signal, takeUp } = parts;
  const tell: EmitEvent = (event, facts) => emit(event, { node: file.node, ...facts });
  const sources = () => parts.agents().map((agent) => askedOf(foundation, agent));
  const { trust: roots, ...renewing } = renewalOf(foundation, signal);
  const trust = new TrustKeeping({
    files: roots.files,
    wanted: () => app().configuration()?.trust ?? null,
    takeUp: async () => {
      await takeUp();
      await parts.renewAuthority();
    },
    clock,
    signal,
    tell,
  });
  const own = new OwnCertificates({
    ...ownCertificateParts(foundation, signal),
    isOutdated: roots.isOwnOutdated,
    wanted: () => (app().isExpelled() ? [] : (app().configuration()?.certificates ?? null)),
    sources,
    tell,
  });
  return {
    own,
    trust,
    async run() {
      const declaredLifeMs = () => app().configuration()?.certificateLifeMs ?? null;
      const renewal = renewForEver({ ...renewing, sources, declaredLifeMs, renewed: takeUp, tell });
      await Promise.all([renewal, own.runForEver(), trust.runForEver()].map((chore) => chore.catch(onBroken)));
    },
  };
}
