/**
 * Has certificates signed by a process of its own, which opens the issuing key, signs, and ends: an agent neither keeps that
 * key in its memory, nor the X.509 library.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Signer } from '../ports/certificates.ts';
import { run } from '../process/run.ts';
import { type IssuingAnswer, type IssuingTask, issuingAnswer } from './issuing-task.ts';

/** On a machine that is busy with something else it takes a second to start. */
const answerWithinMs = 20_000;

type Place = Pick<IssuingTask, 'cluster' | 'domain' | 'node' | 'roots' | 'sealing'>;

function answerIn(stdout: string): IssuingAnswer {
  try {
    return issuingAnswer.parse(JSON.parse(stdout));
  } catch (error) {
    throw new UnderstudyError('ANSWER_INVALID', 'the issuing process answered something else', { cause: error });
  }
}

/** `program`: the issuing process's. */
export function issuingProcess(
  program: string,
  place: Place,
  now: () => Pick<IssuingTask, 'nowMs' | 'revoked'>,
): Signer {
  const ask = async (sealedKey: string, work: IssuingTask['work']): Promise<IssuingAnswer> => {
    const task: IssuingTask = { ...place, sealedKey, ...now(), work };
    const { stdout } = await run(process.execPath, [program], {
      ...{ withinMs: answerWithinMs, input: JSON.stringify(task), maxOutputBytes: 8 * 1_048_576 },
    });
    const answer = answerIn(stdout);
    if (answer.outcome === 'refused') throw new UnderstudyError('CERTIFICATE_REFUSED', answer.because);
    return answer;
  };
  return {
    async sign(sealedKey, wanted) {
      const answer = await ask(sealedKey, {
        do: 'sign',
        wanted: wanted.map((one) => ({ ...one, addresses: [...one.addresses] })),
      });
      return answer.outcome === 'signed' ? answer.signed : [];
    },
    async inspect(sealedKey) {
      const answer = await ask(sealedKey, { do: 'inspect' });
      if (answer.outcome === 'inspected') return answer;
      throw new UnderstudyError('CERTIFICATE_REFUSED', 'the issuing process answered something else');
    },
    async list(sealedKey) {
      const answer = await ask(sealedKey, { do: 'list' });
      if (answer.outcome !== 'listed') throw new UnderstudyError('CERTIFICATE_REFUSED', 'no list was signed');
      return { authority: answer.authority, list: answer.list };
    },
    async certify(sealedKey, person) {
      const answer = await ask(sealedKey, { do: 'certify', person: { ...person } });
      if (answer.outcome !== 'certified') throw new UnderstudyError('CERTIFICATE_REFUSED', 'nothing was signed');
      return { chain: answer.chain, record: answer.record };
    },
    async share(sealedKey, to) {
      const answer = await ask(sealedKey, { do: 'share', to: [...to] });
      return answer.outcome === 'shared' ? answer.shared : [];
    },
  };
}
