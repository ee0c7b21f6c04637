/**
 * What agents may be asked, checked by whoever is asked.
 *
 * Invariant: orders are strict, so that none is half understood; a request whose body is not looked at does not compile.
 */

import type { z } from 'zod';
import type { RouteName, routes } from '../contract/routes.ts';
import { auditRequests } from './audit.ts';
import { backupRequests } from './backups.ts';
import { agentRequests } from './between-agents.ts';
import { certificateRequests } from './certificates.ts';
import { databaseRequests } from './databases.ts';
import { enrolmentRequests } from './enrolment.ts';
import { orderRequests } from './orders.ts';

/** `backupPassage` is handed over, and has none. */
type WithBody = Exclude<
  { [R in RouteName]: (typeof routes)[R]['method'] extends 'POST' ? R : never }[RouteName],
  'backupPassage'
>;

export const requests = {
  ...orderRequests,
  ...databaseRequests,
  ...certificateRequests,
  ...enrolmentRequests,
  ...agentRequests,
  ...auditRequests,
  ...backupRequests,
} as const satisfies Readonly<Record<WithBody | 'enrol', z.ZodType>>;
