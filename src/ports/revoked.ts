/** What an agent knows of revoked certificates: from the store, from other agents, or, when neither answers, from its own disk. */
export interface RevokedSerials {
  has(serial: string): boolean;
  /** Serial to the wall clock of its revocation, in ms. */
  readonly since: ReadonlyMap<string, number>;
  /** Calls back when there are more. */
  onChange(listener: () => void): () => void;
}
