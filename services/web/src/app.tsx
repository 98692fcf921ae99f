import type { PersonId, VendorId } from "@localstreet/contracts/ids";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type ChatState, NO_CHAT, openChat } from "./chat/chat-session.ts";
import { ChatWindow } from "./chat/chat-window.tsx";
import { createDirectory, findWatcher, type OwnEntries } from "./directory/directory.ts";
import { EmptyState } from "./directory/empty-state.tsx";
import { DIRECTORY_LOADING, pollDirectory } from "./directory/poll-directory.ts";
import { advanceSelection, NOTHING_SELECTED } from "./directory/selection.ts";
import { Toolbar } from "./directory/toolbar.tsx";
import { type Chime, createChime } from "./orders/chime.ts";
import { isRinging } from "./orders/order-book.ts";
import { NO_DESK, openOrderDesk } from "./orders/order-desk.ts";
import { OrdersPanel } from "./orders/orders-panel.tsx";
import { PanelBoundary } from "./panel-boundary.tsx";
import { useSession } from "./session.ts";
import { DeliveryPanel } from "./tracking/delivery-panel.tsx";
import { NO_TRACKING, openTracking } from "./tracking/tracking-session.ts";
import { useToken } from "./use-token.ts";

/** An order that nobody has looked at sounds so often. */
const RING_EVERY_MS = 4_000;
const NOTHING_OWN: OwnEntries = { vendor: null, buyer: null, deliveryId: null };

export function App() {
  const { state: polled, session: polling } = useSession(pollDirectory, DIRECTORY_LOADING);
  const [own, setOwn] = useState(NOTHING_OWN);
  const directory = useMemo(() => createDirectory(polled.file, own), [polled.file, own]);
  const [selection, setSelection] = useState(NOTHING_SELECTED);
  const [follow, setFollow] = useState(true);

  const vendor = directory.vendors.find((it) => it.vendorId === selection.vendorId) ?? null;
  const buyer = directory.buyers.find((it) => it.buyerId === selection.buyerId) ?? null;
  const delivery =
    directory.deliveries.find((it) => it.deliveryId === selection.deliveryId) ?? null;
  const vendorId = vendor?.vendorId ?? null;
  const buyerId = buyer?.buyerId ?? null;
  const deliveryId = delivery?.deliveryId ?? null;
  const readAgain = async () => createDirectory((await polling?.readAgain()) ?? null, own);
  const newerVendor = async () =>
    (await readAgain()).vendors.find((it) => it.vendorId === vendorId)?.token ?? null;
  const newerBuyer = async () =>
    (await readAgain()).buyers.find((it) => it.buyerId === buyerId)?.token ?? null;
  const newerWatcher = async () =>
    (delivery && findWatcher(delivery, await readAgain())?.token) ?? null;
  const vendorToken = useToken(vendor, newerVendor);
  const buyerToken = useToken(buyer, newerBuyer);
  const watcherToken = useToken(delivery && findWatcher(delivery, directory), newerWatcher);

  const chime = useRef<Chime | null>(null);
  const [sounding, setSounding] = useState(false);
  const ring = useCallback(() => chime.current?.ring(), []);
  function turnSound(on: boolean): void {
    chime.current?.close();
    chime.current = on ? createChime() : null;
    ring();
    setSounding(on);
  }

  const desk = useSession(
    useMemo(() => {
      if (!vendorId || !vendorToken) return null;
      return () => openOrderDesk({ vendorId, token: vendorToken, onOrder: ring, onReminder: ring });
    }, [vendorId, vendorToken, ring]),
    NO_DESK,
  );
  const ringing = useMemo(() => [...desk.state.book.values()].some(isRinging), [desk.state.book]);
  useEffect(() => {
    if (!ringing) return;
    const timer = setInterval(ring, RING_EVERY_MS);
    return () => clearInterval(timer);
  }, [ringing, ring]);
  const vendorChat = useSession(
    useMemo(() => {
      if (!vendorId || !vendorToken) return null;
      return () => openChat({ token: vendorToken, side: "vendor" });
    }, [vendorId, vendorToken]),
    NO_CHAT,
  );
  const buyerChat = useSession(
    useMemo(() => {
      if (!buyerId || !buyerToken) return null;
      return () => openChat({ token: buyerToken, side: "buyer" });
    }, [buyerId, buyerToken]),
    NO_CHAT,
  );
  const tracking = useSession(
    useMemo(() => {
      if (!deliveryId || !watcherToken) return null;
      return () => openTracking({ deliveryId, token: watcherToken });
    }, [deliveryId, watcherToken]),
    NO_TRACKING,
  );

  const [vendorDraft, setVendorDraft] = useState(false);
  const [buyerDraft, setBuyerDraft] = useState(false);
  const drafting = vendorDraft || buyerDraft;
  const chattingBuyerId = vendorId ? findChattingBuyer(vendorChat.state, vendorId) : null;
  useEffect(() => {
    const advance = () =>
      setSelection((current) =>
        advanceSelection(current, {
          directory,
          follow,
          chattingBuyerId,
          drafting,
          now: Date.now(),
        }),
      );
    advance();
    const timer = setInterval(advance, 1_000);
    return () => clearInterval(timer);
  }, [directory, follow, chattingBuyerId, drafting]);

  function adoptOwn(entries: OwnEntries): void {
    setOwn(entries);
    setFollow(false);
    setSelection((current) => ({
      ...current,
      vendorId: entries.vendor?.vendorId ?? current.vendorId,
      vendorSettled: entries.vendor !== null || current.vendorSettled,
      buyerId: entries.buyer?.buyerId ?? current.buyerId,
      deliveryId: entries.deliveryId ?? current.deliveryId,
      deliveryOverSince: null,
    }));
  }

  const nameOfBuyer = useCallback(
    (id: PersonId) => directory.buyers.find((it) => it.buyerId === id)?.name ?? id,
    [directory],
  );
  const listed = delivery?.listed ?? null;

  if (directory.vendors.length === 0 && directory.buyers.length === 0) {
    return (
      <main className="page-empty">
        <EmptyState phase={polled.phase} onUse={adoptOwn} />
      </main>
    );
  }
  return (
    <div className="page">
      <PanelBoundary title="Localstreet" className="toolbar">
        <Toolbar
          directory={directory}
          phase={polled.phase}
          selection={selection}
          follow={follow}
          onFollow={setFollow}
          onOwn={adoptOwn}
          onVendor={(picked) =>
            // Who follows gets that vendor's own conversation and delivery with it.
            setSelection((current) => ({
              ...(follow ? NOTHING_SELECTED : current),
              vendorId: picked,
              vendorSettled: true,
            }))
          }
          onBuyer={(picked) => {
            setFollow(false);
            setSelection((current) => ({ ...current, buyerId: picked }));
          }}
          onDelivery={(picked) => {
            setFollow(false);
            setSelection((current) => ({
              ...current,
              deliveryId: picked,
              deliveryOverSince: null,
            }));
          }}
        />
      </PanelBoundary>
      <main className="board">
        {vendor && (
          <PanelBoundary title="Orders" className="orders" onRetry={desk.reopen}>
            <OrdersPanel
              state={desk.state}
              desk={desk.session}
              vendorName={vendor.name}
              vendorStreet={vendor.street}
              nameOfBuyer={nameOfBuyer}
              sounding={sounding}
              onSound={turnSound}
            />
          </PanelBoundary>
        )}
        <PanelBoundary title="Delivery" className="delivery" onRetry={tracking.reopen}>
          <DeliveryPanel
            delivery={delivery}
            vendor={directory.vendors.find((it) => it.vendorId === listed?.vendorId) ?? null}
            buyerName={listed && nameOfBuyer(listed.buyerId)}
            tracking={tracking.state}
          />
        </PanelBoundary>
        <div className="chats">
          {vendor && (
            <PanelBoundary
              title={`Chat of ${vendor.name}`}
              className="chat chat-vendor"
              onRetry={vendorChat.reopen}
            >
              <ChatWindow
                side="vendor"
                ownName={vendor.name}
                otherName={buyer?.name ?? "a buyer"}
                vendorId={vendor.vendorId}
                buyerId={buyerId}
                chat={vendorChat.state}
                session={vendorChat.session}
                onDraft={setVendorDraft}
              />
            </PanelBoundary>
          )}
          {buyer && (
            <PanelBoundary
              title={`Chat of ${buyer.name}`}
              className="chat chat-buyer"
              onRetry={buyerChat.reopen}
            >
              <ChatWindow
                side="buyer"
                ownName={buyer.name}
                otherName={vendor?.name ?? "a vendor"}
                vendorId={vendorId}
                buyerId={buyer.buyerId}
                chat={buyerChat.state}
                session={buyerChat.session}
                onDraft={setBuyerDraft}
              />
            </PanelBoundary>
          )}
        </div>
      </main>
    </div>
  );
}

/** Whose conversation with the vendor has the newest message; `undefined` while that is being fetched. */
function findChattingBuyer(chat: ChatState, vendorId: VendorId): PersonId | null | undefined {
  const { conversations, newestId, connection, historyMissing } = chat;
  if (!conversations) {
    const coming = connection.phase === "connecting" || connection.phase === "open";
    return coming && !historyMissing ? undefined : null;
  }
  const newest = conversations.find((it) => it.conversationId === newestId);
  return newest?.vendorId === vendorId ? newest.buyerId : null;
}
