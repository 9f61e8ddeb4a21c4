/**
 * Waits for all, also when one fails, and then fails as the first did: nothing goes on in the background of who was
 * told of the failure.
 */
export async function settleAll(work: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(work)
  const failed = outcomes.find(outcome => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
