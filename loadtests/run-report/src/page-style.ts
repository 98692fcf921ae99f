/** Light and dark, without anything from elsewhere. */
export const PAGE_STYLE = `
:root{--paper:#f6f5f1;--card:#fff;--ink:#20221f;--soft:#6d716a;--line:#e3e1d9;--good:#1d7a4c;--bad:#b3261e;--mark:#b3261e;
--orders:#c2571a;--chat:#5b4bc4;--tracking:#0d7f82;--dashboard:#9a6a00;--connections:#5c6670}
@media (prefers-color-scheme:dark){:root{--paper:#151714;--card:#1e211d;--ink:#e9e9e3;--soft:#9ba096;--line:#31352f;
--good:#58c08a;--bad:#ff8a80;--mark:#ff8a80;--orders:#f09055;--chat:#a397ff;--tracking:#4cc4c6;--dashboard:#dba93a;--connections:#9aa5b0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1040px;margin:0 auto;padding:28px 20px 60px}
header{border-left:6px solid var(--good);background:var(--card);border-radius:10px;padding:22px 26px}
header.broken{border-color:var(--bad)}
.name{margin:0;font-weight:600}.name span{color:var(--soft);font-weight:400}
h1{font-size:27px;line-height:1.25;margin:6px 0 16px;letter-spacing:-.01em;color:var(--good)}
.broken h1{color:var(--bad)}
dl{display:flex;flex-wrap:wrap;gap:10px 34px;margin:0}
dt{font-size:12px;color:var(--soft)}dd{margin:0;font-variant-numeric:tabular-nums}
.table{overflow-x:auto;background:var(--card);border-radius:10px;margin-top:14px;padding:8px 26px 10px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:7px 10px;border-top:1px solid var(--line);white-space:nowrap}
thead th{border:0;font-size:12px;color:var(--soft);font-weight:400}
th:first-child{text-align:left;padding-left:0}td:last-child,th:last-child{text-align:left;padding-right:0;white-space:normal}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}
.faults{background:var(--card);border-radius:10px;margin:14px 0 0;padding:12px 26px 12px 44px;color:var(--bad);overflow-wrap:anywhere}
.path{background:var(--card);border-radius:10px;margin-top:14px;padding:16px 26px 8px}
.orders{--c:var(--orders)}.chat{--c:var(--chat)}.tracking{--c:var(--tracking)}.dashboard{--c:var(--dashboard)}.connections{--c:var(--connections)}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:0 28px}
.what{font-weight:600;font-size:13px;margin:8px 0 6px}
ol{list-style:none;counter-reset:m;margin:0;padding:0}ol li{counter-increment:m;margin:0 0 8px;padding-left:28px;position:relative}
ol li::before{content:counter(m);position:absolute;left:0;top:3px;width:17px;height:17px;border-radius:50%;background:var(--mark);color:var(--card);font:700 10px/17px system-ui,sans-serif;text-align:center}
h2{font-size:17px;margin:0 0 4px;color:var(--c,inherit)}
figure{margin:8px 0 6px}figcaption{font-weight:600;font-size:13px}figcaption span{font-weight:400;color:var(--soft)}
svg{display:block;width:100%;height:auto;overflow:visible}
.grid{stroke:var(--line)}.tick{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
.delivered{fill:var(--c);fill-opacity:.28;stroke:var(--c);stroke-width:1.5}
.due{fill:none;stroke:var(--ink);stroke-width:1.5;stroke-dasharray:5 3}
.refused{fill:none;stroke:var(--bad);stroke-width:1.5}
.band99{fill:var(--c);fill-opacity:.16}.band90{fill:var(--c);fill-opacity:.24}.band50{fill:var(--c);fill-opacity:.4}
.slowest{fill:none;stroke:var(--c);stroke-width:1.2}
.mark line{stroke:var(--mark);stroke-width:1.2;stroke-dasharray:2 3}.mark circle{fill:var(--mark)}
.mark text{fill:var(--card);font-size:10px;font-weight:700}
.hover{fill:transparent}.hover:hover{fill:var(--ink);fill-opacity:.07}
`;
