/** What is shown on other people's terminals, as part of one line. */
import { z } from 'zod';

export const oneLine = z
  .string()
  .min(1)
  .regex(/^\P{Cc}*$/u, 'one line without control characters');
