import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventCatalogue } from '../events/catalogue.ts';
import { auditCatalogue, auditedEvents, auditSentence, isLimited, ownKinds } from './catalogue.ts';

const page = readFileSync(new URL('../../docs/audit.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| `([a-z_.]+)` \| (.+?) \| .+ \|$/gm)].map(([, kind = '', sentence = '']) => ({
  kind,
  sentence,
}));

describe('docs/audit.md', () => {
  it('names the kinds of the catalogue with their sentences, in its order, and no others', () => {
    expect(rows).toEqual(ownKinds.map((kind) => ({ kind, sentence: auditCatalogue[kind].sentence })));
  });

  it('names the events that are kept, and no others', () => {
    const paragraph = /These events are kept as well[\s\S]*?\n\n/.exec(page)?.[0] ?? '';
    expect([...paragraph.matchAll(/`([a-z_]+\.[a-z_]+)`/g)].map(([, name]) => name)).toEqual([...auditedEvents]);
  });
});

describe('a kind', () => {
  it('reads as its sentence, with its facts', () => {
    expect(auditSentence('order.ended', { order: 12, outcome: 'refused', because: 'no' })).toBe(
      'the order of line 12: refused no',
    );
    expect(auditSentence('postgres.promoted', { node: 'pg1', term: 3 })).toContain('pg1 accepts writes, term 3');
    expect(auditSentence('later.kind', {})).toBe('later.kind');
    expect(Object.keys(eventCatalogue)).toEqual(expect.arrayContaining([...auditedEvents]));
  });

  it('that strangers can cause as often as they like has a limit, and no order of a person has', () => {
    expect(ownKinds.filter(isLimited)).toEqual([
      'login',
      'request.refused',
      'handshake.refused',
      'enrolment.refused',
      'order.certificate',
    ]);
  });
});
