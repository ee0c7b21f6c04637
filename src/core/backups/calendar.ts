/** When a declared schedule comes round. The cron itself is an adapter's (timing/cron.ts): here it is an argument. */

/**
 * The first time after `fromMs` that fits a cron expression of five fields in a time zone, in ms since 1970; `null`: none
 * ever does.
 */
export type NextAfter = (expression: string, timeZone: string, fromMs: number) => number | null;
