"""What pages say that hold nothing to read: phrases in small letters, in English, Russian and Chinese.

A phrase stands here if an article about the matter would hardly use it: what a page says to its visitor or its buyer,
not what is said of it. How much of a text they cover decides (`notices`).
"""


def _phrases(text: str) -> tuple[str, ...]:
    """One phrase for each part between bars, over lines."""
    return tuple(part for line in text.split("\n") for one in line.split("|") if (part := one.strip()))


CONSENT = _phrases(
    """
    we value your privacy | we respect your privacy | your privacy choices | privacy preference | cookie settings
    cookie preferences | cookie policy | this website uses cookies | this site uses cookies | we use cookies
    uses cookies to | use of cookies | accept all | reject all | allow all cookies | allow all | decline all
    manage preferences | manage options | manage cookies | manage settings | save and accept | save preferences
    necessary cookies | strictly necessary | functional cookies | performance cookies | targeting cookies
    analytics cookies | advertising cookies | session cookies | persistent cookies | third-party cookies
    third party cookies | marketing cookies | statistics cookies | always active | always on
    opt out of these cookies | storing of cookies | store and access information on a device
    store and/or access information | personalised ads | personalized ads | ad measurement | audience insights
    our partners | legitimate interest | withdraw your consent | your consent | you consent to | by clicking accept
    by continuing to use | by continuing to browse | while you navigate through | stored on your device
    stored on your browser | stored in your browser | your browsing experience | what are cookies | what cookies are
    how we use cookies | block or alert you about these cookies | disable cookies | delete cookies
    set your browser to | google analytics | count visits and traffic sources
    collect information about how visitors use | how visitors use our | improve your experience | user experience
    cookie consent | gdpr
    мы используем файлы cookie | использует файлы cookie | использование файлов cookie | использованием файлов cookie
    использованием cookie | использует cookie | используем cookie | использования cookie | используем куки
    файлы cookie | файлов cookie | обработку файлов | принять все | отклонить все | отклонить | настройки cookie
    продолжая пользоваться | продолжая использовать | оставаясь на сайте | вы соглашаетесь | вы даёте согласие
    вы даете согласие | в настройках вашего браузера | в настройках браузера | обязательные cookie
    аналитические cookie | отключить куки | сайт работал лучше | улучшения работы сайта | яндекс.метрика
    яндекс метрика | подробнее о cookie
    使用cookie | 使用 cookie | cookie政策 | cookie 政策 | cookie设置 | cookie 设置 | 全部接受 | 接受所有 | 接受全部
    全部拒绝 | 拒绝所有 | 管理设置 | 管理偏好 | 管理cookie | 必要的cookie | 必要cookie | 您的浏览体验 | 浏览体验
    分析网站流量 | 个性化广告 | 存储并访问 | 您同意我们 | 即表示您同意 | 继续浏览 | 继续使用本网站 | 第三方cookie
    小型文本文件 | 禁用cookie | 隐私偏好 | 我们的合作伙伴
    """
)
PRIVACY = _phrases(
    """
    privacy policy | privacy notice | this policy describes | this privacy policy | your personal data
    your personal information | personal information we collect | information we collect | we may collect
    we collect information | we collect and use | we may share | we may use your | we may disclose
    with third parties | third-party service providers | on our behalf | we may update this | changes to this policy
    update this privacy policy | by using our website | by using this site | use of our website | you agree to this
    you agree to these terms | right to access your | right to object | right to erasure | right to request
    withdraw your consent | data controller | data protection officer | ip address | we are committed to protecting
    collect, use and share | collect, use, and | how we use your | how we collect | retain your personal
    contact us if you have any questions | terms of service | terms and conditions | terms of use
    to the fullest extent permitted | we reserve the right | without prior notice | limitation of liability
    политика конфиденциальности | политика обработки | обработки персональных данных | обработку персональных данных
    персональных данных | персональные данные | согласие на обработку | третьим лицам | пользовательское соглашение
    пользователей сайта | в соответствии с законодательством | оператор вправе | оператор обязуется
    пользователь вправе | использует файлы cookie | субъекта персональных | данных пользователя | данные пользователя
    隐私政策 | 隐私权政策 | 隐私声明 | 个人信息 | 我们可能会收集 | 我们会收集 | 我们收集的信息 | 第三方服务 | 服务条款
    用户协议 | 使用本网站 | 您的个人信息 | 您的个人资料 | 撤回您的同意 | 本政策 | 本声明 | 免责声明 | 法律法规
    更新本 | 保留最终解释权
    """
)
SCRIPTS_OFF = _phrases(
    """
    enable javascript | javascript is disabled | javascript is required | requires javascript
    javascript is either disabled | javascript enabled | javascript to run this app | turn on javascript
    without javascript | javascript in your browser | javascript to continue | javascript to view
    not supported by your browser | your browser does not support | your browser is not supported
    your browser is out of date | outdated browser | unsupported browser | browser settings | supported browsers
    upgrade your browser | update your browser | latest version of your browser | reload the page | refresh the page
    disable your ad blocker | ad blocker | adblock | whitelist our site | loading, please wait | please wait
    latest versions of chrome | flash player
    отключён javascript | отключен javascript | включите javascript | включить javascript | поддержку javascript
    поддержка javascript | javascript отключён | javascript отключен | не поддерживает javascript | без javascript
    настройках браузера | вашем браузере | обновите страницу | обновите браузер | устаревший браузер
    устаревшую версию | корректной работы сайта | корректного отображения | современных версий | отключите блокировщик
    версия браузера
    不支持javascript | 禁用javascript | 启用javascript | 开启javascript | javascript被禁用 | 禁用了javascript
    启用 javascript | 浏览器不支持 | 浏览器版本过低 | 您的浏览器 | 升级浏览器 | 最新版本的谷歌 | 刷新页面 | 浏览器设置
    浏览效果 | 正在加载 | 关闭广告拦截
    """
)
MISSING = _phrases(
    """
    page not found | page cannot be found | page can't be found | page can’t be found | page could not be found
    page you requested | page you are looking for | page you were looking for | page you're looking for
    page you’re looking for | 404 not found | error 404 | 404 error | nothing was found at this location
    nothing found | does not exist | doesn't exist | doesn’t exist | no longer exists | no longer available
    no longer here | may have been moved | may have moved | might have been removed | has been moved
    has been removed | moved, renamed | renamed or deleted | moved or deleted | mistyped the address | typed wrong
    typed the address | mistyped | check the url | check the address | broken link | followed a link | outdated link
    temporarily unavailable | go back to | back to homepage | back to the homepage | return to our home
    return to home | return to the home | go to homepage | our homepage | our home page | the homepage | try a search
    try searching | use the search | search box | try one of the links | oops | we're sorry, but | we’re sorry, but
    sorry, we couldn't find | we can't seem to find | we can’t seem to find | couldn't find | couldn’t find
    no results found | no results were found | nothing matched your search | no products found
    no products were found | products found | no posts found | no items found | try again with some different
    different keywords | search terms | check your spelling | clear all filters | search results for
    browse all categories | product is unavailable | listing has expired | item is out of stock | job is no longer
    posting has expired | select month | recent posts
    страница не найдена | страницы не существует | ошибка 404 | запрашиваемая вами страница | запрашиваемая страница
    запрошенная страница | такой страницы | не существует | была удалена | была перемещена | удалена или перемещена
    неправильно набрали | неправильный адрес | неверный адрес | вернуться на главную | перейти на главную
    на главную страницу | воспользуйтесь поиском | воспользоваться поиском | к сожалению | ничего не найдено
    не найдено | по вашему запросу | изменить запрос | измените запрос | правильность написания | сбросить фильтр
    товары отсутствуют | отсутствуют | проверьте правильность | нет в наличии | объявление снято | сортировать по
    页面不存在 | 网页不存在 | 找不到页面 | 页面未找到 | 无法找到 | 找不到您 | 您访问的页面 | 您要查找的 | 您访问的网页
    您查看的 | 不存在或已 | 已被删除 | 已删除 | 已经被移动 | 已移除 | 网址有误 | 地址有误 | 输入的网址 | 链接已过期
    链接已失效 | 返回首页 | 返回上一页 | 回到首页 | 自动跳转 | 站内搜索 | 很抱歉 | 没有找到 | 暂无数据 | 暂无内容
    暂无相关 | 没有搜索到 | 换个关键词 | 未找到相关 | 该商品已下架 | 内容已下架 | 内容不存在 | 联系客服 | 没有符合条件
    """
)
CHECK = _phrases(
    """
    checking your browser | checking if the site connection is secure | verify you are human
    verify that you are human | verifying you are human | you are a human | you are human | are you a robot
    not a robot | security check | complete the security | complete the captcha | complete a captcha
    completing the captcha | solve the captcha | solve the puzzle | captcha | ddos protection | ray id
    redirect to your requested | your browser will redirect | you will be redirected | allow up to 5 seconds
    this process is automatic | unusual traffic | suspicious activity | automated requests
    review the security of your connection | before proceeding | before accessing | access denied
    you have been blocked | you don't have permission to access | you do not have permission | reference number
    temporary access | access to this page has been denied | needs to review | enter the characters | unable to access
    has been blocked | request blocked | too many requests | performance & security by | what can i do to
    why have i been
    подтвердите, что вы не робот | что вы не робот | вы не робот | вы человек | не робот | проверка браузера
    проверяем ваш браузер | подозрительный трафик | подозрительная активность | автоматические запросы
    введите символы | символы с картинки | код с картинки | введите код | капча | капчу | доступ ограничен
    доступ к сайту | доступ запрещён | доступ запрещен | ваш ip | временно ограничен | заблокирован
    системой безопасности | пожалуйста, подождите | из вашей сети | с вашего ip
    安全验证 | 人机验证 | 验证码 | 请输入验证码 | 拖动滑块 | 滑动验证 | 完成验证 | 完成拼图 | 检查您的浏览器
    不是机器人 | 异常访问 | 异常流量 | 访问过于频繁 | 操作过于频繁 | 网络环境 | 请稍候 | 请稍等 | 自动跳转 | 拒绝访问
    禁止访问 | 访问被拒绝 | 没有权限访问 | 账号安全 | 继续访问 | 访问受限
    """
)
WALL = _phrases(
    """
    please log in | please sign in | please login | log in to view | log in to continue | sign in to continue
    sign in to view | you must be logged in | you need to be logged in | you must log in | must be a registered
    must be registered | logged in to see | logged in to view | logged in to post | username or email | email address
    password | remember me | keep me signed in | forgot your password | forgot password | forgotten your password
    lost your password | reset password | don't have an account | don’t have an account | create an account
    create account | sign up for free | sign up now | register now | sign up | continue with google
    continue with facebook | continue with apple | log in with | by signing up you agree | you agree to the terms
    terms of service | already have an account | already a member | already a subscriber | already registered
    subscribe to continue | subscribe to read | subscribers only | for subscribers | free articles | article limit
    limit of free | digital access | unlimited access | choose your plan | cancel anytime | cancel at any time
    first month free | subscribe now | start your free trial | free trial | become a member | members only
    this content is for members | premium content | to continue reading | to read the full | unlock this article
    not a member
    необходимо авторизоваться | войдите на сайт | войдите или зарегистрируйтесь | зарегистрируйтесь | авторизуйтесь
    для просмотра | только для зарегистрированных | зарегистрированных пользователей
    зарегистрированным пользователям | логин | пароль | запомнить меня | забыли пароль | нет аккаунта
    зарегистрироваться | войти через | войти | доступно по подписке | оформите подписку | оформить подписку
    только для подписчиков | полная версия доступна | уже есть аккаунт
    需要登录 | 登录后 | 请登录 | 请先登录 | 立即注册 | 注册账号 | 没有账号 | 没有帐号 | 用户名 | 密码 | 忘记密码
    自动登录 | 记住我 | 微信扫码 | 扫码登录 | 微信登录 | qq账号登录 | qq登录 | 账号登录 | 手机验证码 | 验证码登录
    游客无法 | 您所在的用户组 | 没有权限 | 用户协议 | 登录即表示 | 开通会员 | 成为会员 | 会员专享 | 付费阅读 | 订阅后
    剩余内容 | 购买后阅读 | 阅读全文需要 | 注册即送
    """
)
PARKED = _phrases(
    """
    domain is for sale | domain for sale | domain may be for sale | may be for sale | buy this domain
    domain name is for sale | this domain | domain owner | domain has expired | domain name has expired
    parking service | parked free | parked domain | is parked | make an offer | make offer | related searches
    sponsored listings | registrar | maintains no relationship | was generated by the domain
    inquire about this domain | purchase this domain | future home of | coming soon | under construction
    check back soon | launch this site | site owner | account has been suspended | account suspended
    contact your hosting | hosting provider | welcome to nginx | nginx web server | apache2 | default page
    default web page | web server is successfully installed | successfully installed and working
    further configuration is required | it works! | index of / | parent directory | just another wordpress site
    default index page | public html | index html | hosting account | file manager | control panel | cpanel
    your account may have moved | replace this page | expecting this page
    hello world! | sample page | website is down | this site is temporarily | we'll be back soon | launching soon
    your new website | start building your | powered by
    домен продаётся | домен продается | домен выставлен на продажу | купить домен | домен припаркован | припаркован
    этот домен | владелец домена | владельца домена | домена истёк | домена истек | продлите домен | регистратора
    предложите свою цену | сайт находится в разработке | сайт в разработке | скоро будет новый сайт | сайт временно
    на реконструкции | хостинг | сайт отключён | сайт отключен | сайт заблокирован | обратитесь в службу поддержки
    скоро открытие
    域名正在出售 | 域名出售 | 域名可以转让 | 域名转让 | 您正在访问的域名 | 购买域名 | 域名持有人 | 域名停放
    域名已过期 | 域名过期 | 域名服务商 | 域名中介 | 此域名 | 本域名 | 该域名 | 网站建设中 | 正在建设中 | 网站已关闭
    敬请期待 | 及时续费 | 站点已暂停 | 网站已暂停 | 没有找到站点 | 站点创建成功 | 默认页面
    """
)
FAULT = _phrases(
    """
    fatal error | parse error | uncaught | stack trace | thrown in | on line | connection refused | warning: | notice:
    deprecated: | headers already sent | cannot modify header | undefined index | undefined variable | sqlstate
    sql syntax | mysql | traceback (most recent call last) | exception in thread | nullpointerexception | caused by:
    unhandled exception | internal server error | service unavailable | bad gateway | gateway timeout
    gateway time-out | forbidden | error establishing a database | database connection | database error
    temporarily unable to service | maintenance downtime | capacity problems | try again later | server encountered an
    was encountered while | errordocument | server at | server error | runtime error | scheduled maintenance
    down for maintenance | undergoing maintenance | could not be satisfied | an error occurred | an error has occurred
    something went wrong | webmaster | site administrator | error code | error 500
    ошибка сервера | внутренняя ошибка | ошибка 500 | ошибка 502 | ошибка базы данных | технические работы
    технических работ | попробуйте позже | повторите попытку | сервис временно | сайт временно недоступен
    временно недоступен | что-то пошло не так | администратору сайта | произошла ошибка | ошибка соединения
    приносим извинения
    服务器内部错误 | 服务器错误 | 服务器出现错误 | 服务器繁忙 | 服务器开小差 | 数据库连接 | 数据库错误 | 网关超时
    请稍后再试 | 稍后重试 | 系统维护 | 维护升级 | 系统正在 | 错误代码 | 暂时无法 | 网站管理员 | 敬请谅解 | 系统错误
    系统繁忙 | 出错了 | 刷新页面 | 程序错误 | 加载失败
    """
)
BOT = _phrases(
    """
    bot: hello | how can i help you today | how may i help you | how can i assist you | i did not understand
    i didn't understand | i didn’t understand | didn't get that | please choose one of | please select an option
    choose an option | select one of the following | has joined # | has joined the | has left the | has quit
    sets mode | ping timeout | quits: | next question in | type !help | type !hint | type help | was this helpful
    connecting you to an agent | talk to an agent | connect you with | speak to an agent | live agent | main menu
    reply with | invalid option | chat started | chat ended
    чем могу помочь | я вас не понял | не понимаю вас | выберите один из | выберите вариант | главное меню | оператора
    неверная команда | введите номер | бот: | напишите /start | перевожу на оператора
    请问有什么可以帮您 | 请问有什么可以帮助您 | 没有理解您的意思 | 没有听懂 | 我不太明白 | 请选择 | 回复数字 | 转人工
    人工客服 | 智能客服 | 机器人： | 欢迎咨询 | 亲，
    """
)
LOREM = _phrases(
    """
    lorem ipsum | dolor sit amet | consectetur adipiscing | consectetuer adipiscing | adipiscing elit | sed do eiusmod
    eiusmod tempor | incididunt ut labore | ut labore et dolore | magna aliqua | ut enim ad minim | minim veniam
    quis nostrud | nostrud exercitation | ullamco laboris | nisi ut aliquip | commodo consequat | duis aute irure
    in reprehenderit | voluptate velit | esse cillum | cillum dolore | eu fugiat | fugiat nulla | nulla pariatur
    excepteur sint | occaecat cupidatat | non proident | sunt in culpa | officia deserunt | mollit anim
    id est laborum | sed ut perspiciatis | vestibulum | pellentesque | quisque | phasellus | curabitur | suspendisse
    vivamus | maecenas | here goes your text | your text here | dummy text | placeholder text | sample text
    click edit button to change
    значимость этих проблем | рамки и место обучения | постоянный количественный рост | сфера нашей активности
    идейные соображения высшего | модель организационной деятельности | систем массового участия | текст-заглушка
    задача организации, в особенности | направлений прогрессивного развития | существенных финансовых и
    дальнейшее развитие различных форм | повседневная практика показывает | это пример страницы
    рыба-текст | рыбатекст | текст-рыба | здесь будет текст | в рамках спецификации современных стандартов
    此处填写文字 | 此处添加文字 | 这里是示例文字 | 点击编辑 | 示例文本 | 占位文字
    """
)
GAMBLING = _phrases(
    """
    online casino | best casino | casino bonus | no deposit bonus | deposit bonus | welcome bonus | free spins
    free chips | slot machines | slot machine | online slots | slots online | play slots | real money | live dealer
    live casino | jackpot | roulette | blackjack | baccarat | poker online | online poker | sports betting | best odds
    sportsbook | betting site | place your bets | instant withdrawal | win big | gamble responsibly
    wagering requirements | spin and win | slot gacor | judi online | sign up bonus | bonus code | lottery results
    satta | play now | claim your | 1xbet | bet365
    казино | онлайн казино | игровые автоматы | игровых автоматов | бездепозитный | бездепозитные | фриспин
    фриспинов | рабочее зеркало | зеркало казино | зеркало сайта | азартных игр | азартные игры | на реальные деньги
    слоты | рулетка | ставки на спорт | букмекер | букмекерская | вулкан | джойказино | бонус за регистрацию
    вывод выигрыша | джекпот | без регистрации | промокод | выигрывай | моментальный вывод | покер
    博彩 | 百家乐 | 葡京 | 娱乐场 | 娱乐城 | 老虎机 | 六合彩 | 时时彩 | 彩票平台 | 真人娱乐 | 在线开户 | 送彩金 | 彩金
    返水 | 首存 | 投注平台 | 投注网 | 体育投注 | 皇冠体育 | 皇冠 | 买球 | 竞彩 | 滚球 | 盘口 | 赔率 | 电子游艺 | 棋牌
    捕鱼 | 亚博 | 体验金 | 秒到账 | 稳赚不赔 | 代理加盟 | 备用网址 | 威尼斯人 | 金沙 | 澳门 | 太阳城 | 北京赛车 | 快三
    幸运飞艇 | 计划群 | 网投 | 信誉第一 | 开户送 | 存送 | 提款 | 官网下载 | 下注 | 必中 | 特码 | 赌场
    """
)
LOANS = _phrases(
    """
    payday loan | payday loans | cash advance | no credit check | bad credit | instant approval | guaranteed approval
    cash fast | fast cash | same day cash | same day loan | loans online | loan online | personal loan
    personal loans | installment loans | title loans | title loan | direct lender | direct lenders | apply now
    low interest | apply online | consolidate debt | debt consolidation | credit repair | money in your bank account
    quick loan | instant loan | loan amount | lowest interest
    займ на карту | займы на карту | займ без отказа | без отказа | микрозайм | микрозаймы | микрозаймов
    деньги в долг | займ онлайн | займы онлайн | займ без процентов | без процентов | срочный займ | оформить займ
    оформите займ | плохой кредитной историей | кредитной истории | кредит наличными | без справок | поручителей
    одобрение заявки | мгновенное одобрение | онлайн заявка | под залог | взять кредит | взять займ | круглосуточно
    нужен только паспорт | мфо
    无抵押贷款 | 无抵押 | 小额贷款 | 信用贷款 | 当天放款 | 秒批 | 下款 | 不看征信 | 黑户 | 套现 | 网贷口子 | 网贷
    额度高 | 利息低 | 急用钱 | 放款快 | 身份证贷款 | 抵押贷款 | 公积金贷款 | 前期无任何费用 | 通过率 | 贷款咨询
    办理贷款 | 信用卡代还 | 办理信用卡 | 提额 | 借款平台 | 手机号秒 | 咨询办理
    """
)
ADULT = _phrases(
    """
    escort girls | escort girl | escort service | escort services | escorts in | independent escort | vip escort
    call girls | call girl | outcall | incall | happy ending | full service massage | erotic massage | sensual massage
    adult dating | hookup | singles near you | sexy singles | sexy girls | hot girls | hot sexy | nude | xxx | porn
    porno | free sex | sex video | sex videos | sex cam | webcam girls | milf | onlyfans leaked | big tits | blowjob
    anal sex | high class | real photos | no advance payment | discreet | low rates | russian escort
    models available | 24/7
    проститутки | проститутка | индивидуалки | индивидуалка | шлюхи | путаны | интим услуги | интим
    эротический массаж | секс знакомства | секс | порно | досуг для взрослых | девушку на дом | снять девушку
    вызвать девушку | выезд и апартаменты | проверенные анкеты | реальные фото | элитные | без обязательств | минет
    анал | голые | девочки | анкеты | апартаменты
    上门服务 | 约炮 | 外围 | 包夜 | 全套服务 | 特殊服务 | 小姐 | 楼凤 | 桑拿 | 莞式 | 一夜情 | 裸聊 | 成人视频
    成人网 | 免费av | av在线 | 黄色视频 | 学生妹 | 上门按摩 | 选妹 | 品茶 | 情色 | 無碼 | 无码 | 色情 | 援交 | 同城约
    美女上门 | 高端模特 | 随叫随到 | 喝茶 | 激情视频 | 加微信 | 伴游
    """
)
FORGED = _phrases(
    """
    fake passport | fake id | fake diploma | buy diploma | novelty documents | counterfeit money | counterfeit bills
    clone cards | driver's license online | registered passport | buy real | ielts certificate without exam
    ssd solution
    купить диплом | дипломы любых | диплом о высшем | занесением в реестр | с занесением | на бланке | гознак
    аттестаты | медицинские книжки | медицинскую книжку | больничный лист | справку | купить права
    водительские права | изготовим | без предоплаты | подлинности | конфиденциальность | с доставкой | купить аттестат
    задним числом | регистрация граждан
    代开发票 | 开发票 | 增值税发票 | 住宿费发票 | 先开票后付款 | 点数优惠 | 税率低 | 送票上门 | 验真伪 | 查验真伪
    专业办证 | 办证 | 代办文凭 | 代办 | 学历证书 | 刻章 | 学信网 | 货到付款 | 无需定金 | 微信同号 | 电话微信
    诚信经营 | 保密可靠 | 假证 | 快速办理 | 长期有效 | 正规发票 | 欢迎来电
    """
)
SALES = _phrases(
    """
    generic viagra | buy viagra | viagra online | cheap viagra | viagra | cialis | levitra | kamagra | tramadol
    phentermine | xanax online | without prescription | no prescription | canadian pharmacy | online pharmacy
    overnight delivery | bonus pills | diet pills | weight loss pills | male enhancement | penis enlargement
    cash on delivery | replica watches | rolex replica | replica rolex | replica handbags | fake designer
    designer bags | louis vuitton | michael kors | ray ban | ugg boots | cheap ugg | moncler | air jordan
    cheap jordan | jordan shoes | nfl jerseys | cheap jerseys | jerseys wholesale | wholesale from china
    outlet store | outlet online | free shipping | with paypal | satisfaction guaranteed | discount price
    handbags outlet | cheap price | lowest price | buy cheap | buy now | for sale | essay writing service
    write my essay | do my essay | cheap essays | custom essay | pay someone to | order your essay | academic papers
    paper writing service | seo services | buy backlinks | guest post | buy followers | instagram followers
    work from home | make money online | earn money online | passive income | guaranteed profit | guaranteed profits
    double your bitcoin | bitcoin trading | trading robot | crypto giveaway | official giveaway | binary options
    forex signals | win rate | risk free | no experience needed | sign up now | limited spots | limited time offer
    act now | click here | weird trick | investment returns | free download | full version | crack | keygen
    serial key | license key | activator | torrent download | activation code | product key | watch online
    full movie | streaming | no sign up | mega link | mediafire | direct link | download button
    disable your antivirus | download mp4 | mod apk | unlimited coins | apk download | visit my | my webpage
    my web page | my homepage | my website | my blog post | check out my | bookmarked | great post | nice article
    nice post | great article | thanks for sharing | keep up the good work | keep up the great | feel free to visit
    piece of info | helpful info | glad that you shared | keep us informed | thumbs up for | coming back to your
    weblog layout | blog layout | running a blog | blogging look easy | look of your | let alone the content
    have a look at my | take a look at my | visit my site | also visit my | wonderful post | excellent post
    stumbled upon your | subscribe to your feed | bookmark your
    you have been selected | lucky visitor | you are visitor | lucky winner | chance to win | gift card | free gift
    brand new iphone | complete the survey | prizes left | offer expires | offer ends | left in stock | may be infected
    viruses | clean your phone | rates guaranteed | cheap hotels | hotels near | hotels in | check availability
    booking fees | best price guarantee | select dates | guests also viewed | verified reviews | great value
    here is my | i really like your | thanks for the information | great blog | your blog
    вы выиграли | поздравляем, вы | счастливый посетитель | заберите приз | пройдите опрос | дешёвые отели
    дешевые отели | отели рядом | забронировать отель | гарантия лучшей цены
    купить виагру | виагра | дженерик | сиалис | для похудения | похудеть без | без рецепта | реплики часов
    копии часов | реплика | заработок в интернете | заработок без вложений | без вложений | пассивный доход | удвой
    криптовалют | бинарные опционы | скачать бесплатно | скачать торрент | кряк | кейген | смотреть онлайн
    в хорошем качестве | без смс | продвижение сайтов | раскрутка сайтов | накрутка подписчиков | приворот | гадание
    снятие порчи | купить спайс | закладки | гидра
    恭喜您 | 幸运用户 | 中奖 | 领取奖品 | 手机中毒 | 特价酒店 | 酒店预订 | 最低价保证
    减肥药 | 壮阳 | 伟哥 | 延时 | 增大增粗 | 丰胸 | 祛斑 | 迷药 | 催情 | 高仿 | 精仿 | 一比一 | a货 | 原单 | 微商货源
    代理批发 | 刷单 | 兼职日结 | 日赚 | 躺赚 | 月入过万 | 网赚 | 快速赚钱 | 免费下载 | 破解版 | 注册机 | 激活码
    序列号 | 在线观看 | 高清完整版 | 无限金币 | 私服 | 外挂 | 刷粉 | 涨粉 | 快速排名 | seo优化 | 网站优化 | 发包
    加盟 | 货源 | 批发 | 代刷 | 包邮 | 正品 | 排行榜 | 多少钱 | 哪里买
    """
)
SOCIAL = _phrases(
    """
    share on facebook | share on twitter | share on | share this | share via | tweet this | pin it | like this
    follow us on | leave a reply | leave a comment | cancel reply | your email address will not be published
    required fields are marked | save my name, email | next time i comment | notify me of follow-up
    notify me of new posts | post comment | add a comment | no comments yet | be the first to comment
    log in to reply | print this page | email to a friend | previous post | next post | read more | continue reading
    related posts | related articles | you may also like | sign up for our newsletter | subscribe to our newsletter
    all rights reserved | powered by wordpress | skip to content | skip to main content
    поделиться в | добавить комментарий | оставить комментарий | ваш адрес email не будет опубликован
    обязательные поля | отменить ответ | комментариев нет | читать далее | похожие записи | все права защищены
    подписаться на рассылку | мы в соцсетях
    分享到 | 发表评论 | 发表回复 | 取消回复 | 您的邮箱地址不会被公开 | 暂无评论 | 阅读更多 | 相关文章 | 上一篇
    下一篇 | 版权所有 | 转载请注明 | 点赞 | 扫一扫
    """
)
FORUM = _phrases(
    """
    board index | you cannot post | you cannot reply | you cannot edit | you cannot delete | you may not post
    you may not reply | you may not edit | jump to | no registered users | users browsing this | who is online
    all times are | no posts to display | no replies yet | delete cookies | mark forums read | thread tools
    display modes | posting rules | board statistics | view unanswered | unread posts
    список форумов | начинать темы | отвечать на сообщения | редактировать свои сообщения | часовой пояс
    кто сейчас на | кто сейчас онлайн | сейчас этот форум просматривают | вернуться наверх | вернуться к началу
    быстрый ответ | показать сообщения за | нет непрочитанных | ответов пока нет
    暂无回复 | 抢沙发 | 回帖 | 只看该作者 | 只看楼主 | 倒序浏览 | 本版积分规则 | 高级模式 | 快速回复 | 返回列表
    返回顶部 | 上一主题 | 下一主题 | 小黑屋 | 站长统计 | 最后登录 | 发新帖 | 手机版
    """
)
CALENDAR = _phrases(
    """
    no events | events on this day | event calendar | events calendar | subscribe to calendar | google calendar
    icalendar | outlook live | outlook 365 | ics file | previous day next day | previous month next month
    mon tue wed | sun mon tue | m t w t f s s | s m t w t f s | feels like | uv index | moon phase
    событий нет | нет событий | событий на | добавить событие | все события | пн вт ср
    архив новостей | ощущается как | влажность воздуха
    暂无活动 | 没有活动 | 添加日程 | 日一二三四五六 | 一二三四五六日 | 体感温度 | 空气质量 | 未来七天
    """
)
SHOP = _phrases(
    """
    add to cart | add to basket | add to bag | add to wishlist | add to compare | out of stock | back in stock
    notify me when | first to review | no reviews yet | related products | recently viewed | shopping cart is empty
    your cart is empty | customers also bought | sort by | items per page | get code | show code | get deal
    reveal code | promo code | coupon code | no code needed | submit a coupon | used today | expires soon | based on 0
    claim your listing | claim this business | compare prices, read reviews | near you in | nearby cities
    в корзину | в 1 клик | в один клик | в избранное | к сравнению | сообщить о поступлении | нет в наличии
    отзывов пока нет | оставить отзыв | оставит отзыв | с этим товаром | вы смотрели | недавно смотрели
    корзина пуста | показать промокод | получить скидку | открыть код | перейти к акции | купоны и промокоды
    товаров на странице
    加入购物车 | 立即购买 | 加入收藏 | 加入对比 | 暂无评价 | 暂时缺货 | 到货通知 | 猜你喜欢 | 购物车 | 领取优惠券
    领券 | 复制优惠码 | 查看优惠码 | 立即领取 | 综合排序 | 按销量
    """
)
JOBS = _phrases(
    """
    apply now | save job | save this job | job alert | similar jobs | longer accepting applications | job type
    job has expired | position has been filled | jobs like this | upload your resume
    вакансия в архиве | вакансия закрыта | похожие вакансии | откликнуться | принимает отклики | создать резюме
    показать контакты | полная занятость | зарплата не указана | з/п не указана
    职位已下线 | 职位已关闭 | 停止招聘 | 相似职位 | 投递简历 | 申请职位 | 收藏职位 | 薪资面议
    """
)
PLAYER = _phrases(
    """
    autoplay | up next | comments are turned off | show more | show less | views | watch later | key moments
    provided to us by | music in this video | share save | now playing | add to playlist | skip ad
    следующее видео | автовоспроизведение | просмотров | комментарии отключены | показать ещё | показать еще
    смотреть позже | плейлист
    自动播放 | 接下来播放 | 播放列表 | 次播放 | 次观看 | 展开更多 | 评论已关闭 | 弹幕
    """
)
APP = _phrases(
    """
    open in app | open the app | get the app | download the app | download our app | available in the app
    scan the qr code | app store | google play | install the app | already installed
    скачайте приложение | скачать приложение | откройте в приложении | открыть в приложении | отсканируйте
    установить приложение | доступно в приложении
    打开app | 下载app | app查看 | app内打开 | 客户端内查看 | 下载客户端 | 打开客户端 | 应用商店 | 扫描二维码 | 立即打开
    已安装 | 未安装 | 加载更多 | 没有更多了 | 查看更多 | 猜你想看
    大家都在看 | 意见反馈 | 举报投诉 | 服务协议 | 隐私保护
    """
)
TERMS = _phrases(
    """
    provided as is | as is and as available | without warranty | without warranties | shall not be liable
    not be held liable | no responsibility for | governing law | binding agreement | subject to change without
    your use of this | using this site | not constitute an offer
    предоставляются как есть | как есть | не несет ответственности | не несёт ответственности | публичной офертой
    за возможный ущерб | в результате использования | администрация сайта | администрация вправе
    предварительного уведомления | без уведомления | используя сайт | гк рф | принимает их в полном
    не является публичной | все споры
    不承担任何责任 | 不承担责任 | 不负任何责任 | 解释权归 | 如有侵权 | 仅供参考 | 不构成 | 本站不对
    """
)
AT_THE_DOOR = _phrases(
    """
    mailing list | our newsletter | unsubscribe at any time | confirm your subscription | enter your email
    marketing emails | off your first order | exclusive offers | no thanks | drinking age | of legal age
    date of birth | drink responsibly | 18 years or older | 21 years or older | over 18 | over 21 | under 18 | under 21
    entering this site | enter this site | adult content | leave this site
    подпишитесь на | подписаться на | отписаться в любой | введите ваш | вам исполнилось 18 | вам есть 18 | есть 18 лет
    мне есть 18 | мне нет 18 | моложе 18 | совершеннолетнего | совершеннолетие | покинуть сайт | войти на сайт
    订阅我们 | 取消订阅 | 输入您的邮箱 | 年满18 | 已满18 | 未满18 | 年满十八 | 未成年人请 | 立即离开
    """
)
NOTICE = (
    *(*CONSENT, *PRIVACY, *SCRIPTS_OFF, *MISSING, *CHECK, *WALL),
    *(*PARKED, *FAULT, *BOT, *LOREM, *SOCIAL),
    *(*FORUM, *CALENDAR, *SHOP, *JOBS, *PLAYER, *APP, *TERMS, *AT_THE_DOOR),
)
SPAM = (*GAMBLING, *LOANS, *ADULT, *FORGED, *SALES)
