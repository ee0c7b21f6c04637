/** A session as the code within it sees it. */
export interface SessionHandle {
  /**
   * What the user's next request has to bring along to see what was written here. Asks the primary where it is when the
   * session wrote by other means than `tx`.
   */
  token(): Promise<string>;
  /** The same where nobody has to be asked for it; `null` otherwise. */
  known(): string | null;
}
