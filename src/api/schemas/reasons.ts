/** Why something is so, and why something was not done. */

import { z } from 'zod';
import { text } from '../../records/spec-schema.ts';

export const reason = z.object({ code: text, text });

export const refusal = z.object({ what: text, blockedBy: text, text });
