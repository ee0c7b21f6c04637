import { expect, it } from 'vitest';
import { testConfiguration } from '../../test/fixtures/app-node.ts';
import { fakeCredentialKeeper } from '../sim/fakes/credential-keeper.ts';
import { WantedConfiguration } from './app-node-wanted.ts';

function told(specRevision: number, clientPassword = 1, applications = ['shop', 'blog']) {
  const whole = testConfiguration(specRevision);
  return {
    ...whole,
    applications: whole.applications.filter(({ name }) => applications.includes(name)),
    credentials: whole.credentials.map((one) => ({ ...one, clientPassword })),
  };
}

/** `made`: what the disk takes at most. */
function world(made = Number.POSITIVE_INFINITY) {
  const asked: string[] = [];
  const logins = {
    reach: (application: string, generation: number) => {
      asked.push(application);
      return Math.min(generation, made);
    },
  };
  const keeper = fakeCredentialKeeper();
  return { wanted: new WantedConfiguration(keeper, logins), keeper, asked };
}

it('takes no declaration that is older than the one it knows', () => {
  const { wanted } = world();
  expect(wanted.reached()).toBeNull();
  expect([wanted.hear(told(3)), wanted.hear(told(2)), wanted.hear(told(3))]).toEqual([true, false, true]);
  expect(wanted.known?.specRevision).toBe(3);
});

it('keeps the credentials that it heard of, and goes back to no earlier password', () => {
  const { keeper, wanted } = world();
  wanted.hear(told(1, 2));
  wanted.hear(told(1, 1));
  expect(wanted.known?.credentials.map(({ clientPassword }) => clientPassword)).toEqual([2, 2]);
  expect(keeper.kept).toEqual(wanted.known?.credentials);
});

it('goes by the passwords that there are, and has none made for an application that is not declared', () => {
  const { asked, wanted } = world(1);
  // A record outlives its declaration for a moment.
  for (let times = 0; times < 2; times += 1) wanted.hear(told(1, 2, ['shop']));
  const reached = wanted.reached()?.credentials.map(({ application, clientPassword }) => [application, clientPassword]);
  expect(reached).toEqual([
    ['blog', 2],
    ['shop', 1],
  ]);
  expect(new Set(asked)).toEqual(new Set(['shop']));
});
