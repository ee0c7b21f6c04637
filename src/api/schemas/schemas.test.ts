import { describe, expect, it } from 'vitest';
import { createFakeBackend, exampleReport, exampleSpec } from '../../../test/fixtures/fake-backend.ts';
import { answers } from './answers.ts';
import { parseTopologyMessage } from './between-agents.ts';
import { parseEvent } from './looks.ts';
import { requests } from './requests.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** As it comes over the wire from a version that has one more key in every object. */
function fromNewerVersion(value: unknown): Json {
  const later = (json: Json): Json => {
    if (Array.isArray(json)) return json.map(later);
    if (typeof json !== 'object' || json === null) return json;
    const entries = Object.entries(json).map(([key, one]) => [key, freeForm.has(key) ? one : later(one)]);
    return { ...Object.fromEntries(entries), laterKey: { value: 1 } };
  };
  const wire: Json = JSON.parse(JSON.stringify(value));
  return later(wire);
}

/** Their keys are the user's. */
const freeForm = new Set(['parameters', 'settings', 'datacenters', 'facts']);

const backend = createFakeBackend();

describe('what a newer version says', () => {
  it('of the topology and the configuration is understood, less what is new', () => {
    const message = backend.topologyMessage('web0');
    expect(message.configuration).toBeDefined();
    expect(parseTopologyMessage(fromNewerVersion(message))).toEqual(message);
  });

  it.each<[keyof typeof answers, () => unknown]>([
    ['health', () => backend.health()],
    ['status', () => backend.status()],
    ['why', () => backend.why()],
    ['spec', () => backend.spec()],
    ['operation', () => backend.operation()],
  ])('in answer to %s is understood, less what is new', (name, answer) => {
    expect(answers[name].parse(fromNewerVersion(answer()))).toEqual(answer());
  });

  it('of an event is understood', () => {
    const [event] = backend.events(0);
    expect(parseEvent(fromNewerVersion(event))).toEqual(event);
  });

  it('in a report is news, and understood; an order with something new is refused', () => {
    expect(requests.report.parse(fromNewerVersion(exampleReport))).toEqual(exampleReport);
    const apply = { baseRevision: 1, spec: exampleSpec };
    expect(requests.apply.safeParse(apply).success).toBe(true);
    expect(requests.apply.safeParse({ ...apply, laterKey: 1 }).success).toBe(false);
    expect(requests.apply.safeParse({ ...apply, spec: { ...exampleSpec, laterKey: 1 } }).success).toBe(false);
    expect(requests.promise.safeParse({ term: 1, round: 1, forMs: 1, laterKey: 1 }).success).toBe(false);
  });
});

it('a reason is one line: no control character reaches the terminals that show it', () => {
  expect(requests.readOnly.safeParse({ on: true, reason: 'größere Platten ✓' }).success).toBe(true);
  for (const reason of ['', 'one\ntwo', '\u001b[31mred', 'bell\u0007', '\u009b31m'])
    expect(requests.readOnly.safeParse({ on: true, reason }).success).toBe(false);
});
