/** The shape of a lost report: on the disk of the node that made it, and as it goes over the API. */
import { z } from 'zod';
import type { LostReport } from '../core/lost-report.ts';
import { count, name, positive, text } from './spec-schema.ts';

const rows = { inserted: count, updated: count, deleted: count, database: text.nullable(), table: text };

export const lostReport = z.object({
  id: name,
  node: name,
  at: text,
  term: count,
  timeline: positive,
  forkLsn: text,
  lastLsn: text.nullable(),
  walBytes: count,
  whole: z.boolean(),
  notWhole: text.nullable(),
  unnamed: text.nullable(),
  keptBytes: count,
  transactions: count,
  firstCommitAt: text.nullable(),
  lastCommitAt: text.nullable(),
  tables: z.array(z.object({ ...rows, transactions: count })),
  listed: z.array(
    z.object({
      xid: count,
      committedAt: text,
      lsn: text,
      atLeast: z.boolean(),
      changedCatalog: z.boolean(),
      tables: z.array(z.object(rows)),
    }),
  ),
}) satisfies z.ZodType<LostReport>;
