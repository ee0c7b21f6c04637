/**
 * What this node's server is told by its files, beyond the spec: below what it may not go, and for whom its commits wait.
 *
 * Invariant: a standby is never given less than its primary has, and what a server would wait for from its first instant as
 * primary is what the durability record demands. Refuses to choose whom commits wait for: core/rules/sync-standbys.ts.
 */
import type { LocalPostgres } from '../core/cluster-view.ts';
import type { SyncSet } from '../core/durability.ts';
import { startingSet } from '../core/rules/sync-standbys.ts';
import type { NodeName, Spec } from '../core/spec.ts';
import type { ServerConfiguration } from '../ports/postgres.ts';
import type { StoreMirror } from './store-mirror.ts';

/** `floor`: what a standby must have at least (see core/rules/settings.ts). */
export type Configure = (spec: Spec, floor: Readonly<Record<string, number>>, sync: SyncSet) => ServerConfiguration;

export interface LocalConfigurationParts {
  readonly self: NodeName;
  readonly mirror: { readonly image: Pick<StoreMirror['image'], 'lease' | 'members' | 'durability'> };
  /** As it was seen last; `null`: not yet. */
  readonly server: () => LocalPostgres | null;
  readonly configuration: Configure;
}

export class LocalConfiguration {
  readonly #parts: LocalConfigurationParts;
  /** What was last set on this server while it was primary. */
  #ownSync: SyncSet | null = null;

  constructor(parts: LocalConfigurationParts) {
    this.#parts = parts;
  }

  /** `sync`: set from now on, by the holder; without it what is in force. */
  of(spec: Spec, sync?: SyncSet): ServerConfiguration {
    const { self, mirror, configuration } = this.#parts;
    const lease = mirror.image.lease?.value;
    const isHolder = lease?.state === 'held' && lease.holder === self;
    if (sync !== undefined) this.#ownSync = sync;
    else if (!isHolder) this.#ownSync = null;
    // Also on a standby: from its first instant as primary nothing may be acknowledged that others don't have.
    const initial = startingSet(self, spec, mirror.image.durability?.value ?? null);
    return configuration(spec, this.#floor, this.#ownSync ?? initial);
  }

  get #floor(): Readonly<Record<string, number>> {
    const { self, mirror, server } = this.#parts;
    const lease = mirror.image.lease?.value;
    if (lease?.state !== 'held') return {};
    if (lease.holder === self) {
      // Until it is primary it runs with what its last primary had; lowering that would only wait for a restart.
      const own = server();
      return own?.state === 'standby' ? own.standbyMinimums : {};
    }
    return mirror.image.members.get(lease.holder)?.value.standbyMinimums ?? {};
  }
}
