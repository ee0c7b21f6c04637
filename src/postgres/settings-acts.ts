/**
 * Acts that change what a server goes by without starting or stopping it: its settings, its certificate, who is revoked,
 * which standbys it waits for.
 *
 * Invariant: `configure` and revocations leave a directory alone that is being built or is no cluster; whoever makes one
 * writes its files.
 */
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import { sendSignal } from '../process/signal.ts';
import { configurationErrors, refuseMistakes } from './configuration.ts';
import { readControl } from './control-file.ts';
import type { Layout } from './layout.ts';
import type { Observer } from './observation.ts';
import type { OwnSettings } from './own-settings.ts';
import { findServer } from './postmaster-file.ts';
import type { Session, Where } from './session.ts';
import { endRevokedSessions } from './sessions.ts';
import { markSyncStandbys } from './sync-standby-change.ts';
import { deadlineOf } from './waiting.ts';

export interface SettingsParts {
  readonly layout: Layout;
  readonly where: Where;
  readonly major: number;
  readonly session: Session;
  readonly clock: Clock;
  readonly settings: OwnSettings;
  readonly observer: Pick<Observer, 'refresh'>;
  isBuilding(): boolean;
}

type SettingsActs = Pick<Postgres, 'configure' | 'obeyRevocations' | 'renewCertificate' | 'setSyncStandbys'>;

/** Has a running server read its files; answers whether there was one. */
export function reloadServer(layout: Layout): boolean {
  const server = findServer(layout.data, layout.postmasterFile);
  return server.alive === 'postmaster' && sendSignal(server.postmaster, 'SIGHUP') === 'sent';
}

export function createSettingsActs(parts: SettingsParts): SettingsActs {
  const { layout, where, major, session, clock, settings, observer, isBuilding } = parts;
  const isOurs = (): boolean => !isBuilding() && readControl(layout.controlFile).found !== 'nothing';
  return {
    async configure(wanted, act) {
      settings.want(wanted);
      // Nothing there yet: whoever makes the directory writes the files.
      if (!isOurs()) return false;
      const deadline = deadlineOf(clock, act);
      const changed = await settings.write(layout.data);
      if (!changed || !reloadServer(layout)) return changed;
      observer.refresh();
      refuseMistakes(await configurationErrors(session, major, Math.max(1, deadline.leftMs())));
      return true;
    },

    async obeyRevocations(serials, listIsNew, act) {
      const deadline = deadlineOf(clock, act);
      if (!isOurs()) return;
      if (listIsNew) await settings.write(layout.data);
      const server = findServer(layout.data, layout.postmasterFile);
      if (server.alive !== 'postmaster') return;
      if (listIsNew) reloadServer(layout);
      await endRevokedSessions(session, serials, Math.max(1, deadline.leftMs()));
    },

    async renewCertificate() {
      // While a directory is built nothing runs in it, or a server that ends soon.
      if (!isBuilding()) reloadServer(layout);
    },

    async setSyncStandbys(wanted, act) {
      const deadline = deadlineOf(clock, act);
      settings.want(wanted);
      await settings.write(layout.data);
      reloadServer(layout);
      const names = wanted.parameters.synchronous_standby_names ?? '';
      return await markSyncStandbys({ where, clock, names, changed: () => observer.refresh() }, deadline);
    },
  };
}
