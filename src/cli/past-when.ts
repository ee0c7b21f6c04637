/** `understudy past when`: the moment from which a condition is true, by an instance of the past that is moved. */
import type { MoveCosts } from '../comparison/moment-choice.ts';
import type { Question, SearchResult } from '../comparison/moment-search.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { InstanceRecord, PastTarget } from '../past/scratch.ts';
import type { Call } from './call.ts';
import { chosenDatabase, nearestServer, pastConfig, presentConfig, presentServer } from './past-difference.ts';
import { openAt, type PastOptions, type WhenOptions } from './past-opening.ts';
import type { PastPlace } from './past-place.ts';
import type { Wanted } from './past-source.ts';
import { countText, spanText } from './words.ts';

const askWithinMs = 600_000;
const maxSteps = 60;
const usualPrecisionMs = 1_000;
const lookWithinMs = 60_000;
/** What replay does in the time of one. */
const replayFactor = 50;
const restorePerMs = 100_000;
const startMs = 1_500;

export async function findWhen(call: Call, condition: string, options: PastOptions & WhenOptions): Promise<number> {
  const [{ pastPlace }, { NotArchivedError }, { sweep, endOne }, { askCondition }, { findMoment }] = await Promise.all([
    import('./past-place.ts'),
    import('./past-source.ts'),
    import('../past/ending.ts'),
    import('../comparison/condition.ts'),
    import('../comparison/moment-search.ts'),
  ]);
  const [from, to] = [await momentOf(options.from, '--from'), await momentOf(options.to, '--to')];
  // Whoever names the end asks nothing of now.
  const present = to === null ? await presentServer(call) : await nearestServer(call);
  const database = await chosenDatabase(call, present, options.database);
  const place = await pastPlace(call, options.node);
  await sweep(place.parts);
  const asking = { statementTimeoutMs: askWithinMs, signal: call.signal };
  const nowMs = Date.now();
  const known =
    to === null
      ? { to: await askCondition(presentConfig(present, database), condition, { name: 'now', ...asking }) }
      : {};
  const { costs, earliestMs } = await surroundings(place, options.source ?? null, call.signal);
  let open: InstanceRecord | null = null;
  const askAt = async (moment: number) => {
    const target: PastTarget = { type: 'time', value: new Date(moment).toISOString(), atMs: moment };
    const before = open;
    // Wherever a failed move leaves it, it is not open.
    open = null;
    try {
      open = await openAt(call, place, target, options, before);
    } catch (error) {
      if (error instanceof NotArchivedError) return { archivedTo: error.archivedToMs };
      throw error;
    }
    return await askCondition(pastConfig(place, open, database), condition, { name: 'then', ...asking });
  };
  try {
    const found = await findMoment(askAt, {
      ...{ from: from ?? earliestMs, to: to ?? nowMs, precisionMs: options.precision ?? usualPrecisionMs },
      ...{ maxSteps, costs, known, signal: call.signal },
      onQuestion: (question) => {
        if (!call.terminal.json) call.terminal.print(questionText(question));
      },
    });
    tell(call, condition, database, found);
  } finally {
    if (open !== null) await endOne(place.parts, open, { warm: true });
  }
  return exitCodes.done;
}

async function momentOf(text: string | undefined, option: string): Promise<number | null> {
  if (text === undefined) return null;
  const { readTarget } = await import('./past-place.ts');
  const target = await readTarget(text);
  if (target.type === 'time') return target.atMs;
  throw new UnderstudyError('REQUEST_INVALID', `${option} is to be a time, such as "2026-11-19 14:00" or "2 h ago"`);
}

interface Start {
  readonly endMs: number;
  /** Until its data is there. */
  readonly copyMs: number;
}

/** Estimates: they decide the order of questions alone. */
async function surroundings(
  place: PastPlace,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<{ readonly costs: MoveCosts; readonly earliestMs: number }> {
  const [{ requireRepository, seenStandby }, { servesFromMs }] = await Promise.all([
    import('./past-source.ts'),
    import('../core/backups/past-source.ts'),
  ]);
  const standby = await seenStandby(place, wanted, signal);
  if (standby === null) requireRepository(place);
  const fromMs = standby === null ? null : servesFromMs(standby.reach);
  const ofStandby =
    standby === null || fromMs === null ? [] : [{ endMs: fromMs, copyMs: standby.databaseBytes / restorePerMs }];
  const asksRepository = wanted !== 'standby' && place.hasRepository;
  const ofBackups = asksRepository ? await backupStarts(place, standby !== null, signal) : [];
  const starts = [...ofBackups, ...ofStandby].toSorted((a, b) => a.endMs - b.endMs);
  const [first] = starts;
  if (first === undefined)
    throw new UnderstudyError('REFUSED', 'there is no backup', { hint: 'understudy backup now' });
  const openMs = (moment: number): number => {
    const nearest = starts.findLast(({ endMs }) => endMs <= moment) ?? first;
    return startMs + nearest.copyMs + Math.max(0, moment - nearest.endMs) / replayFactor;
  };
  const forwardMs = (from: number, to: number): number => startMs + (to - from) / replayFactor;
  return { costs: { openMs, forwardMs }, earliestMs: first.endMs };
}

/** `isSpare`: without them there is something to begin with. */
async function backupStarts(
  { parts, repository }: PastPlace,
  isSpare: boolean,
  signal: AbortSignal,
): Promise<readonly Start[]> {
  const { findCopying } = await import('../past/copying.ts');
  const { by } = await findCopying(parts.scratch.directory);
  const { backups, state, trouble } = await repository.contents({ withinMs: lookWithinMs, signal });
  if (state === 'unreachable' && !isSpare) throw new UnderstudyError('REPOSITORY_UNREACHABLE', trouble ?? '');
  return backups.map(({ databaseBytes, finishedAt }) => ({
    endMs: Date.parse(finishedAt),
    copyMs: by === null ? databaseBytes / restorePerMs : 0,
  }));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function questionText({ answer, moment, move }: Question): string {
  const said =
    answer === 'not-archived' ? 'not archived yet' : answer === null ? 'not there' : answer ? 'true' : 'not true';
  return `${iso(moment)}  ${said}${move === 'open' ? '  (another copy)' : ''}`;
}

function tell(call: Call, condition: string, database: string, result: SearchResult): void {
  if (!call.terminal.json) {
    call.terminal.print(...lines(result));
    return;
  }
  const { after, by } = { after: null, by: null, ...result };
  const [afterAt, byAt, archivedTo] = [after, by, result.archivedTo].map((ms) => (ms === null ? null : iso(ms)));
  call.terminal.printJson({ condition, database, ...result, after: afterAt, by: byAt, archivedTo });
}

function lines(result: SearchResult): readonly string[] {
  const { archivedTo } = result;
  const unseen = archivedTo === null ? '' : `; what came after ${iso(archivedTo)} is not archived yet`;
  const cost = `${countText(result.steps, 'question')}, ${countText(result.opened, 'copy', 'copies')}`;
  switch (result.found) {
    case 'change': {
      const later = result.isTrueAtEnd === false ? '; it ended again later' : '';
      const was = result.was === null ? ' (before, what it names was not there)' : '';
      const precise = result.isPrecise ? '' : '; not as close as was asked for';
      const [after, by] = [iso(result.after), iso(result.by)];
      return [
        `it became true after ${after} and by ${by}${was}: within ${spanText(result.by - result.after)}${precise}${later}${unseen}`,
        cost,
      ];
    }
    case 'true-at-start':
      return ['it was true at the beginning already: look further back, or for the opposite', cost];
    case 'not-true':
      return [
        result.existed ? 'it was not true wherever it was asked' : 'what it names was never there: is it spelt so?',
        cost,
      ];
    case 'nothing-yet':
      if (archivedTo !== null) return [`not true at ${iso(result.after)}${unseen}`, cost];
      return [`nothing was found with so many questions; not true at ${iso(result.after)}`, cost];
    default:
      return result satisfies never;
  }
}
