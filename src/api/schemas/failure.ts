/** What stands in the body of every answer that is no success. */

import { z } from 'zod';
import { errorCatalogue } from '../../errors/catalogue.ts';

export const errorAnswer = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  retry: z.enum(['never', 'later', 'operator']),
});

export type ErrorAnswer = z.infer<typeof errorAnswer>;

export const isErrorCode = (code: string): code is keyof typeof errorCatalogue => Object.hasOwn(errorCatalogue, code);
