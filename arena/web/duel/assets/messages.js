// What is said when something is in the way: why, and what to do.

/** Instead of the clips: there is nothing to show. */
export function stops({ status, type, message }) {
  if (type === "no-pair") {
    return {
      title: "No pair is left for you here",
      text:
        "You have judged every pair that this track has to offer. New clips open new pairs; " +
        "another track may still have some.",
      action: "Look again",
    };
  }
  if (type === "clip") {
    return {
      title: "A clip did not load",
      text: "One of the two clips could not be played, so this pair cannot be judged fairly.",
      action: "Try again",
    };
  }
  if (status === 0) {
    return {
      title: "The arena cannot be reached",
      text: "Check the connection. Votes already given are kept and sent as soon as it is back.",
      action: "Try again",
    };
  }
  if (status === 429) return { title: "One moment", text: message, action: "Go on" };
  if (status >= 500) {
    return {
      title: "The arena is away for a moment",
      text: "Its store does not answer. Nothing of yours is lost; try again shortly.",
      action: "Try again",
    };
  }
  return { title: "This did not work", text: message, action: "Try again" };
}

/** In the status line: a vote waits. */
export function troubles({ kind, seconds }) {
  if (kind === "limit") return `That was fast: your vote is sent in ${seconds} s.`;
  if (kind === "offline") return "No connection. Your vote is kept and sent when it is back.";
  return "The arena is away for a moment. Your vote is kept and sent again.";
}

/** In the status line of a new pair: the last vote was not taken. */
export function refusals({ status, message }) {
  if (status === 410) return "The last pair had run out of time, so here is a new one.";
  if (status === 409) return "The last pair had your vote already, so here is the next one.";
  if (status === 404) return "The last pair was no longer yours, so here is a new one.";
  return message;
}
