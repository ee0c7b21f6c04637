import { setTimeout as delay } from 'node:timers/promises';
import type { Topology } from '@understudy/client/topology';
import { afterEach, describe, expect, it } from 'vitest';
import type { TopologyMessage } from '../api/contract/app-nodes.ts';
import type { AppNodeMemory } from '../core/rules/pooler-memory.ts';
import { defaultApplicationFiles } from '../core/spec.ts';
import { defaultTlsRules } from '../core/tls-policy.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Pooler, PoolerConfiguration } from '../ports/pooler.ts';
import { fakeCredentialKeeper } from '../sim/fakes/credential-keeper.ts';
import { type AppNode, startAppNode } from './app-node.ts';

const agent = { node: 'db1', address: '127.0.0.1', hostName: 'db1.test.internal' };

/** A pooler that takes everything at once, but can't be told anything new while its disk is full. */
class MemoryPooler implements Pooler {
  async renewCertificate(): Promise<void> {}

  isFull = false;
  isPaused = false;
  leadsTo: string | null = null;

  observe: Pooler['observe'] = async () => ({
    state: 'running',
    pid: 1,
    version: '1.18.0',
    paused: this.isPaused ? ['shop'] : [],
    clients: 0,
    waiting: 0,
    straggling: [],
    formerClients: {},
  });

  configure: Pooler['configure'] = async (configuration) => {
    this.#write(configuration);
    return true;
  };

  pause: Pooler['pause'] = async () => {
    this.isPaused = true;
    return { drainMs: 1 };
  };

  hold: Pooler['hold'] = async () => undefined;

  resume: Pooler['resume'] = async (configuration, { isOverdue }) => {
    try {
      this.#write(configuration);
    } catch (error) {
      if (isOverdue) this.isPaused = false;
      throw error;
    }
    this.isPaused = false;
    return { pausedMs: 1, applications: [] };
  };

  abandon: Pooler['abandon'] = async () => 0;
  reach: Pooler['reach'] = async () => 'answers';
  onStir: Pooler['onStir'] = () => () => undefined;
  onLost: Pooler['onLost'] = () => () => undefined;
  stop: Pooler['stop'] = async () => undefined;
  close: Pooler['close'] = async () => undefined;

  #write({ aliases }: PoolerConfiguration): void {
    const target = aliases[0]?.addresses[0] ?? null;
    if (this.isFull && target !== this.leadsTo) throw new UnderstudyError('POOLER_FILES_FAILED', 'no space');
    this.leadsTo = target;
  }
}

class Scene {
  readonly pooler = new MemoryPooler();
  readonly events: string[] = [];
  isJournalFull = false;
  journaled: AppNodeMemory | null = null;
  broken: unknown = null;
  #aheadMs = 0;
  #message: TopologyMessage | null = null;
  readonly node: AppNode;

  constructor() {
    this.node = startAppNode(
      {
        node: 'web1',
        cluster: 'test',
        listenAddress: '127.0.0.1',
        agents: [agent],
        pooler: this.pooler,
        source: {
          follow: (_, onMessage, _onBreak, signal) => {
            const repeat = setInterval(() => {
              if (this.#message !== null) onMessage(this.#message);
            }, 10);
            signal.addEventListener('abort', () => clearInterval(repeat));
          },
        },
        files: { keep: async () => null, leave: async () => null },
        reporter: { report: async () => undefined },
        revoked: { learn: () => undefined },
        secrets: fakeCredentialKeeper(),
        clientLogins: { reach: (_, generation) => generation, trouble: null },
        journal: {
          read: () => null,
          write: (memory) => {
            if (this.isJournalFull) throw new Error('ENOSPC: no space left on device');
            this.journaled = memory;
          },
        },
        clock: {
          boottimeMs: () => performance.now() + this.#aheadMs,
          wallClock: () => new Date(0),
          sleep: async (ms, signal) => {
            await delay(Math.min(ms, 5), undefined, signal === undefined ? {} : { signal });
          },
        },
        emit: (event, facts) => this.events.push(`${event} ${JSON.stringify(facts)}`),
      },
      (error) => {
        this.broken = error;
      },
    );
  }

  /** The primary is db1 at this address. */
  say(term: number, address: string, more: Partial<Topology> = {}): void {
    const topology: Topology = {
      version: 1,
      cluster: 'test',
      from: 'db1',
      term,
      primary: {
        node: 'db1',
        hostName: agent.hostName,
        address,
        port: 5432,
        timeline: 1,
        datacenter: null,
        writable: true,
      },
      standbys: [],
      pause: null,
      readOnly: false,
      ended: null,
      ageMs: 1,
      ...more,
    };
    const poolers = { port: 6432, mode: 'transaction' as const, poolSize: 1, maxClients: 9, queryWaitTimeoutS: 30 };
    const shop = { name: 'shop', database: 'shop', rights: 'rw' as const, nodes: ['web1'], poolSize: null };
    const rest = { outage: 'hold' as const, files: defaultApplicationFiles, rotateEveryMs: null };
    const applications = [{ ...shop, ...rest }];
    const credentials = [{ application: 'shop', generation: 1, clientPassword: 1, sealed: 'sealed' }];
    const tls = defaultTlsRules;
    const configuration = { specRevision: 1, poolers, tls, applications, credentials, databaseAgents: [agent] };
    this.#message = { topology, configuration };
  }

  pass(ms: number): void {
    this.#aheadMs += ms;
  }

  async until(state: string): Promise<void> {
    await expect.poll(() => this.node.report().state, { timeout: 5_000 }).toBe(state);
  }
}

let scene: Scene;

afterEach(async () => await scene.node.stop());

const pause = { pause: { operation: 'S-1', term: 1, without: [], limitMs: 5_000 } };

describe('an app node whose disk is full', () => {
  it('follows a switchover without its journal, says so, and writes it once it can', async () => {
    scene = new Scene();
    scene.say(1, '10.0.0.1');
    await scene.until('open');
    scene.isJournalFull = true;
    scene.say(1, '10.0.0.1', pause);
    await scene.until('paused');
    scene.say(2, '10.0.0.2', { ended: 'S-1' });
    await scene.until('open');
    expect(scene.pooler).toMatchObject({ leadsTo: '10.0.0.2', isPaused: false });
    expect(scene.node.report().trouble).toContain('ENOSPC');
    expect(scene.events.filter((event) => event.startsWith('action.failed'))).toHaveLength(1);
    scene.isJournalFull = false;
    await expect.poll(() => scene.node.report().trouble).toBeNull();
    expect(scene.journaled).toMatchObject({ memory: { term: 2 }, gate: { state: 'open' } });
    expect(scene.broken).toBeNull();
  });

  it('keeps writers waiting while it can not repoint its pooler, and no longer than they may wait', async () => {
    scene = new Scene();
    scene.say(1, '10.0.0.1');
    await scene.until('open');
    scene.say(1, '10.0.0.1', pause);
    await scene.until('paused');
    scene.pooler.isFull = true;
    scene.say(2, '10.0.0.2', { ended: 'S-1' });
    await expect.poll(() => scene.node.report().trouble).toContain('no space');
    expect(scene.pooler.isPaused).toBe(true);
    scene.pass(5_000 + 10_000);
    await expect.poll(() => scene.pooler.isPaused).toBe(false);
    scene.pooler.isFull = false;
    await scene.until('open');
    expect(scene.pooler).toMatchObject({ leadsTo: '10.0.0.2', isPaused: false });
  });
});
