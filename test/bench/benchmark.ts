/** A benchmark: what Countersign does, measured beside something that the reader knows. */
export interface Benchmark {
  readonly name: string
  /** What is measured, for the heading of the table and for `--help`. */
  readonly measured: string
  /** What it is measured beside. */
  readonly peer: string
  /** It takes minutes, root and a cluster of its own; it runs when it is named, and not with all the others. */
  readonly needsCluster?: boolean
  /** @param atEnd - takes what must be closed, also when the benchmark fails or is interrupted; the last one first */
  run(atEnd: AtEnd): Promise<Figures>
}

export type AtEnd = (close: () => Promise<unknown>) => void

/** What was measured, one row for each that was measured. */
export interface Figures {
  /** Headings of the columns, with their units; the first column, of the rows' names, has none. */
  readonly columns: readonly string[]
  readonly rows: readonly FigureRow[]
}

export interface FigureRow {
  readonly name: string
  readonly cells: readonly string[]
}
