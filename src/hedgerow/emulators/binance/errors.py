"""What Binance answers when it does not do what was asked: HTTP status, code, text.

Source: Binance error codes of spot, margin, USD-M and portfolio margin (recalled, not checked against a live venue).
Those that the simulated exchange itself gives are in `market/rules.py`.
"""

from __future__ import annotations

from hedgerow.market.answers import Refused


class Refusal(Exception):
    """A request was refused; nothing has changed."""

    def __init__(self, refused: Refused, data: dict[str, object] | None = None) -> None:
        super().__init__(refused.text)
        self.refused = refused
        self.data = data
        "What else the answer says, where one request does two things."


def refuse(status: int, code: int, text: str, *, data: dict[str, object] | None = None) -> Refusal:
    """Return the refusal with that status, code and text."""
    return Refusal(Refused(status, code, text), data)


def missing(name: str) -> Refusal:
    """Return the refusal of a request without parameter `name`."""
    return refuse(400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> Refusal:
    """Return the refusal of a parameter with characters that are not allowed in it."""
    return refuse(400, -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def unread(read: int, sent: int) -> Refusal:
    """Return the refusal of a request with parameters that the endpoint does not know."""
    return refuse(400, -1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.")


def ahead(ahead_ms: int) -> Refusal:
    """Return the refusal of a request from the future."""
    return refuse(400, -1021, f"Timestamp for this request was {ahead_ms}ms ahead of the server's time.")


UNKNOWN_ERROR = Refused(503, -1000, "Unknown error, please check your request or try again later.")
UNEXPECTED_RESPONSE = Refused(
    500, -1006, "An unexpected response was received from the message bus. Execution status unknown."
)
BACKEND_TIMEOUT = Refused(
    408, -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
)
OVERLOADED = Refused(
    503, -1008, "Server is currently overloaded with other requests. Please try again in a few minutes."
)
TOO_MANY_REQUESTS = Refused(429, -1003, "Too many requests; current limit is 2400 requests per minute.", 2)
TOO_MANY_ORDERS = Refused(429, -1015, "Too many new orders; current limit is 300 orders per 10 SECOND.", 2)
BANNED = Refused(418, -1003, "Way too many requests; IP banned.", 5)
SIDE_NOT_VALID = Refused(400, -1117, "Invalid side.")
TYPE_NOT_VALID = Refused(400, -1116, "Invalid orderType.")
TIME_IN_FORCE_NOT_VALID = Refused(400, -1115, "Invalid timeInForce.")
BAD_SYMBOL = Refused(400, -1121, "Invalid symbol.")
BAD_LISTEN_KEY = Refused(400, -1125, "This listenKey does not exist.")
BAD_PRECISION = Refused(400, -1111, "Precision is over the maximum defined for this asset.")
BAD_RECV_WINDOW = Refused(400, -1131, "recvWindow must be less than 60000")
OUTSIDE_RECV_WINDOW = Refused(400, -1021, "Timestamp for this request is outside of the recvWindow.")
BAD_SIGNATURE = Refused(400, -1022, "Signature for this request is not valid.")
UNKNOWN_CANCEL = Refused(400, -2011, "Unknown order sent.")
UNKNOWN_ORDER = Refused(400, -2013, "Order does not exist.")
BAD_KEY_FORMAT = Refused(401, -2014, "API-key format invalid.")
BAD_KEY = Refused(401, -2015, "Invalid API-key, IP, or permissions for action.")
INSUFFICIENT_BALANCE = Refused(400, -2010, "Account has insufficient balance for requested action.")
CANCEL_REPLACE_FAILED = "Order cancel-replace failed."
CANCEL_REPLACE_PARTLY = "Order cancel-replace partially failed."
NO_SUCH_PATH = Refused(404, -5000, "Path not found or method is invalid.")
GONE = Refused(410, -1000, "This endpoint has been retired; subscribe to the user data stream by the WebSocket API.")
NO_NEED_TO_CHANGE_MARGIN = Refused(400, -4046, "No need to change margin type.")
MARGIN_TYPE_ORDERS = Refused(400, -4047, "Margin type cannot be changed if there exists open orders.")
MARGIN_TYPE_POSITION = Refused(400, -4048, "Margin type cannot be changed if there exists position.")
AMEND_TOO_SMALL = Refused(400, -4028, "Quantity is not valid.")
NO_NEED_TO_AMEND = Refused(400, -5027, "No need to modify the order.")
ALGO_ONLY = Refused(
    400, -4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
)
WOULD_WAKE_SPOT = Refused(400, -2010, "Stop price would trigger immediately.")
WOULD_WAKE_USDM = Refused(400, -2021, "Order would immediately trigger.")
BAD_GOOD_TILL = Refused(
    400,
    -5040,
    "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than "
    "253402300799000",
)
NO_ICEBERG = Refused(400, -2010, "Iceberg orders are not supported for this symbol.")
NO_CONDITION = Refused(400, -1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!")
BAD_TRAILING_DELTA = Refused(400, -1013, "Filter failure: TRAILING_DELTA")
MAX_CONDITIONAL_ORDERS = Refused(400, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS")
MAX_ALGO_ORDERS = Refused(400, -4045, "Reach max stop order limit.")
MAX_SPOT_ORDERS = Refused(400, -1013, "Filter failure: MAX_NUM_ORDERS")
MAX_USDM_ORDERS = Refused(400, -2025, "Reach max open order limit.")
BORROW_TOO_MUCH = Refused(400, -3006, "Your borrow amount has exceed maximum borrow amount.")
BORROW_ASSET = Refused(400, -3027, "Not a valid margin asset.")
REPAY_BALANCE = Refused(400, -3041, "Balance is not enough")
BAD_LISTEN_TOKEN = Refused(400, -1125, "This listenToken does not exist.")
