/** What may stand behind the `?` of a path. Values come as text. */
import { z } from 'zod';

const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);

/** Of a path, too: the name of a switchover. */
export const operationId = z.string().regex(/^[A-Za-z0-9-]{1,40}$/, 'is no name of a switchover');

/** Of `GET /v1/events`. */
export const eventsQuery = z.strictObject({ after: wholeNumber.optional(), follow: flag.optional() });

/** Of `GET /v1/backups`: the run as it was seen, and how often it had been written. */
export const backupsQuery = z.strictObject({
  seen: z
    .string()
    .regex(/^B-\d{1,15}:\d{1,15}$/, 'is no run with its counter')
    .optional(),
});

/** Of `POST /v1/backups/passage`: of pgBackRest. */
export const passageQuery = z.strictObject({ version: z.string().regex(/^\d[\w.]{0,19}$/, 'is no version') });

/** Of `GET /v1/audit/files/:file`. */
export const auditQuery = z.strictObject({ offset: wholeNumber.optional() });
