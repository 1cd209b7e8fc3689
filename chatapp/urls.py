"""Both route lists: one place to look."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from chatapp import consumers, sign_in, views

_C = "c/<uuid:conversation>"
_T = "c/<uuid:conversation>/turns/<uuid:turn>"

urlpatterns = [
    path("", views.home, name="home"),
    path(f"{_C}/", views.conversation, name="conversation"),
    path(f"{_C}/send", views.send, name="send"),
    path(f"{_C}/rename", views.rename, name="rename"),
    path(f"{_C}/model", views.choose_model, name="choose_model"),
    path(f"{_C}/instructions", views.instructions, name="instructions"),
    path(f"{_C}/branch", views.show_branch, name="show_branch"),
    path(f"{_C}/delete", views.delete, name="delete"),
    path(f"{_C}/restore", views.restore, name="restore"),
    path(f"{_C}/transcript", views.transcript, name="transcript"),
    path(f"{_C}/sums", views.sums, name="sums"),
    path(f"{_T}/", views.turn, name="turn"),
    path(f"{_T}/tail", views.tail, name="tail"),
    path(f"{_T}/ledger", views.ledger, name="ledger"),
    path(f"{_T}/stop", views.stop, name="stop"),
    path(f"{_T}/again", views.again, name="again"),
    path(f"{_T}/edit", views.edit, name="edit"),
    path(f"{_T}/continue", views.go_on, name="go_on"),
    path("sidebar", views.sidebar, name="sidebar"),
    path("sign-in", views.SignIn.as_view(), name="sign_in"),
    path("sign-out", views.sign_out, name="sign_out"),
    path("enter/<str:token>", sign_in.enter, name="enter"),
    path("favicon.ico", RedirectView.as_view(url=static("favicon.svg")), name="favicon"),
    path("admin/", admin.site.urls),
]

websocket_urlpatterns = [path("ws/", consumers.ChatConsumer.as_asgi())]
