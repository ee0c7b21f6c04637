/** Such as a full disk, or a directory that may not be written: the machine's trouble, and no defect of ours. */
export function isFromSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
