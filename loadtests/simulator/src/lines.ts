import type { Random } from "./random.ts";

/** Talks between a buyer and a shop, the buyer first, then in turn. */
const DIALOGUES: readonly (readonly [string, ...string[]])[] = [
  [
    "Hi! How long will it take today?",
    "Hello! About fifteen minutes, it is a quiet day.",
    "Perfect, thank you!",
  ],
  [
    "Good afternoon, does anything in my order contain nuts?",
    "Let me check with the kitchen.",
    "Please do, my son is allergic.",
    "No nuts at all in yours, and we use a clean board.",
    "That is a relief. Thanks for asking!",
  ],
  [
    "Could I add a receipt with our company name?",
    "Of course. Which name shall it be?",
    "Västkust Konsult AB, please.",
    "Done, it is in the bag.",
  ],
  [
    "Hello, I just ordered. Could the courier leave it with the neighbour?",
    "Sure, on which floor?",
    "Second floor, the green door.",
    "Noted, we have told the courier.",
    "You are the best.",
  ],
  ["Is the order on its way already?", "We are packing it right now.", "Great, I am at home."],
  [
    "Hej! Are you open on Sunday too?",
    "We are, from ten to four.",
    "Then I will come by with the family.",
    "Looking forward to it!",
  ],
  [
    "Sorry, I ordered twice by mistake. Is that possible?",
    "I see one order only, so all is well.",
    "Phew. Thank you for looking!",
  ],
  [
    "Could you cut it in slices for me?",
    "With pleasure. Thick or thin?",
    "Thin, please.",
    "Thin it is.",
  ],
  [
    "Last time was delicious. Same again!",
    "That makes our day. We put in a little extra.",
    "Oh, how kind!",
  ],
  [
    "Do you have anything without gluten?",
    "Yes, two things today. Shall we swap one of yours?",
    "Yes please, whichever is freshest.",
    "Swapped, at the same price.",
    "Wonderful.",
  ],
];

/** What a shop answers to somebody who did not read the script. */
const OTHERWISE: readonly [string, ...string[]] = [
  "Thanks for your message! We are looking into it.",
  "Hello! One moment, please.",
  "Good question. I will ask and get back to you.",
];

const replies = new Map<string, string | null>();
for (const dialogue of DIALOGUES) {
  for (const [index, line] of dialogue.entries()) replies.set(line, dialogue[index + 1] ?? null);
}

export function openingLine(random: Random): string {
  return random.pick(DIALOGUES as [(typeof DIALOGUES)[number], ...typeof DIALOGUES])[0];
}

/** The next line after `line`; `null` when all is said. A shop answers a stranger's line too. */
export function replyTo(line: string, side: "buyer" | "vendor", random: Random): string | null {
  const scripted = replies.get(line);
  if (scripted !== undefined) return scripted;
  // A buyer who answered everything would go on for ever with a shop that does.
  return side === "vendor" && !OTHERWISE.includes(line) ? random.pick(OTHERWISE) : null;
}
