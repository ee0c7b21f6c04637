/**
 * What `npm run faults` is asked for. A wish that nothing matches ends it with exit code 2, and with what there is: a run that
 * plays nothing must not look like one in which all went well.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describeError } from '../src/errors/understudy-error.ts';
import type { Scenario } from './fault-scenarios.ts';

export interface FaultOptions {
  readonly chosen: readonly Scenario[];
  readonly times: number;
  /** A wait of each writer between two commits, in ms. */
  readonly thinkMs: number;
  /** Exists; `null`: nothing is kept. */
  readonly logs: string | null;
}

const usage = 2;

export function readFaultOptions(scenarios: readonly Scenario[]): FaultOptions {
  try {
    const { values } = parseArgs({
      options: {
        times: { type: 'string', default: '1' },
        only: { type: 'string', default: '' },
        think: { type: 'string', default: '5' },
        logs: { type: 'string' },
      },
    });
    const logs = values.logs ?? null;
    const options = {
      chosen: chosenOf(scenarios, values.only),
      times: wholeNumber('--times', values.times, 1),
      thinkMs: wholeNumber('--think', values.think, 0),
      logs,
    };
    if (logs !== null) mkdirSync(logs, { recursive: true });
    return options;
  } catch (error) {
    console.error(describeError(error));
    process.exit(usage);
  }
}

/** Those whose name has one of the texts in it; each text must name one. */
function chosenOf(scenarios: readonly Scenario[], only: string): readonly Scenario[] {
  const texts = only.split(',').map((text) => text.trim());
  const strangers = texts.filter((text) => !scenarios.some(({ name }) => name.includes(text)));
  if (strangers.length > 0) {
    const names = scenarios.map(({ name }) => `  ${name}`).join('\n');
    throw new Error(
      `no scenario has ${strangers.map((text) => `"${text}"`).join(', ')} in its name; there are\n${names}`,
    );
  }
  return scenarios.filter(({ name }) => texts.some((text) => name.includes(text)));
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least) return number;
  throw new Error(`${option} takes a whole number from ${least}, not "${text}"`);
}
