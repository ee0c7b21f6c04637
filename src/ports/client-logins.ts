/** What an app node's agent asks of the passwords by which applications log in at the pooler beside them. */
import type { ApplicationName } from '../core/spec.ts';

export interface ClientLogin {
  readonly user: string;
  readonly password: string;
}

export interface ClientLogins {
  /**
   * `told`: what the application is to read; made when there is none. `generation`: which one the pooler is known to have taken;
   * `null`: not known, and then it is one that it has had for longer. `alsoGood`: another one that it takes.
   */
  of(
    application: ApplicationName,
    generation: number | null,
  ): { readonly told: ClientLogin; readonly alsoGood: ClientLogin | null };
  /**
   * Makes the next password when the newest is of an earlier generation than this; the one before it stays good. Answers which generation there
   * is now: what can't be kept is not made, and tried again at the next call. Never throws.
   */
  reach(application: ApplicationName, generation: number): number;
  /** Everyone who was given one. */
  applications(): readonly ApplicationName[];
  /** Its next password will be another one. */
  forget(application: ApplicationName): void;
  /** Why one that was asked for was not made; `null`: nothing. */
  readonly trouble: string | null;
}
