/**
 * What agents answer, checked by whoever asked.
 *
 * Invariant: answers may say more than this version knows, since versions are mixed while a cluster is upgraded.
 */

import { z } from 'zod';
import { auditAnswers } from './audit.ts';
import { backupAnswers } from './backups.ts';
import { agentAnswers } from './between-agents.ts';
import { certificateAnswers } from './certificates.ts';
import { databaseAnswers } from './databases.ts';
import { enrolmentAnswers } from './enrolment.ts';
import { lookAnswers } from './looks.ts';
import { orderAnswers } from './orders.ts';

export const answers = {
  ...lookAnswers,
  ...orderAnswers,
  ...databaseAnswers,
  ...certificateAnswers,
  ...enrolmentAnswers,
  ...agentAnswers,
  ...auditAnswers,
  ...backupAnswers,
  /** Of a request that is answered by nothing but its success. */
  done: z.object({}),
} as const;
