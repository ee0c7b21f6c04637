/** A small part of `npm run fuzz`, always the same. */
import { expect, it } from 'vitest';
import { issueCallers, startApi } from '../fixtures/api-world.ts';
import { fuzzRequests } from './requests.ts';
import { fuzzDeclarations, fuzzStoreValues } from './texts.ts';

it('declarations that nobody meant are accepted or refused with reasons', () => {
  const { answers, faults } = fuzzDeclarations({ seed: 'unit', from: 0, count: 500 });
  expect(faults).toEqual([]);
  expect(answers.refused).toBeGreaterThan(100);
});

it('store values that nobody wrote are accepted or refused with reasons', () => {
  const { answers, faults } = fuzzStoreValues({ seed: 'unit', from: 0, count: 3_000 });
  expect(faults).toEqual([]);
  expect(answers.refused).toBeGreaterThan(500);
  expect(answers.accepted).toBeGreaterThan(100);
});

it('requests that nobody should send are answered, none by an error of the server', async () => {
  const callers = await issueCallers();
  const world = await startApi(callers);
  try {
    const { answers, faults } = await fuzzRequests(world, callers, { seed: 'unit', from: 0, count: 600 });
    expect(faults).toEqual([]);
    expect(answers['400']).toBeGreaterThan(20);
    expect(answers['403']).toBeGreaterThan(20);
  } finally {
    await world.close();
  }
});
