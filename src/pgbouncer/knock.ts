/**
 * Knocks at a server's port: a TCP connection that is closed at once. Nothing is sent, so that PostgreSQL logs nothing and
 * spends no more than a process that reads the end of its input (ProcessStartupPacket in its source).
 *
 * Says only whether somebody listens; whether it is a primary, its agent says.
 */
import { connect } from 'node:net';
import type { ReachAnswer } from '../core/rules/pooler-memory.ts';

export async function knock(host: string, port: number, withinMs: number): Promise<ReachAnswer> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (answer: ReachAnswer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => settle('silent'), withinMs);
    socket.once('connect', () => settle('answers'));
    socket.once('error', (error) => {
      settle('code' in error && error.code === 'ECONNREFUSED' ? 'refused' : 'silent');
    });
  });
}
