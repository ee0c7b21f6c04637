import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type EventName, eventCatalogue, eventNames, eventSentence } from './catalogue.ts';

const page = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| `([a-z_.]+)` \| (info|notice|warning|alarm) \| (.+?) \|$/gm)].map(
  ([, name = '', severity = '', sentence = '']) => ({ name, severity, sentence }),
);
const [, factsPart = ''] = page.split('## Facts');
const documentedFacts = [...factsPart.matchAll(/^\| `(\w+)` \| (.+?) \|$/gm)].map(([, fact]) => fact);
const factsOf = (name: EventName) =>
  [...eventCatalogue[name].sentence.matchAll(/\{(\w+)\}/g)].map(([, fact = '']) => fact);

describe('docs/events.md', () => {
  it('lists the events of the catalogue, and no others, word for word and in the same order', () => {
    expect(rows).toEqual(eventNames.map((name) => ({ name, ...eventCatalogue[name] })));
  });

  it('explains every fact of a sentence, and no others', () => {
    expect(documentedFacts.toSorted()).toEqual([...new Set(eventNames.flatMap(factsOf))].toSorted());
  });
});

describe('a sentence', () => {
  it.each(eventNames)('of %s says every fact, and has no brace left over', (name) => {
    const facts = Object.fromEntries(factsOf(name).map((fact) => [fact, `<${fact}>`]));
    const sentence = eventSentence({ name, facts });
    for (const fact of Object.values(facts)) expect(sentence).toContain(fact);
    expect(sentence).not.toMatch(/[{}?]/);
  });

  it('shows that a fact is missing', () => {
    expect(eventSentence({ name: 'lease.taken', facts: { node: 'pg0' } })).toBe('pg0 holds the lease, term ?');
  });
});
