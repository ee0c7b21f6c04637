/** The issuing process: one task on its standard input, one answer on its standard output (pki/issuing-task.ts), and its end. */
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { performIssuing } from '../pki/issuer.ts';
import { issuingTask } from '../pki/issuing-task.ts';

const task = issuingTask.parse(JSON.parse(await text(process.stdin)));
process.stdout.write(JSON.stringify(await performIssuing(task)));
